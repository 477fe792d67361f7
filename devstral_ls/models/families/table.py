"""FAMILIES: how each kind of model is prompted, chosen by the header of its file and never by its name.

A row has a probe (what the header must have) and formats (FIM tokens, chat format, layouts). The order of the layouts
is a first guess: calibration measures them and may choose another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from devstral_ls.models.families import formats
from devstral_ls.models.families.formats import ChatFormat, FimFormat
from devstral_ls.models.gguf.header import GgufHeader

FIM_SPM = "fim-spm"
FIM_PSM = "fim-psm"
FIM_SPM_IN_PSM = "fim-spm-in-psm"
CHAT_PREFILL = "chat-prefill"
CHAT_OVERLAP = "chat-overlap"
LEFT_TO_RIGHT = "left-to-right"


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model. An empty column of the probe accepts every header."""

    id: str
    title: str
    layouts: tuple[str, ...]
    """Names of prompt layouts, best first; never empty."""
    fim: FimFormat | None = None
    chat: ChatFormat | None = None
    stops: tuple[str, ...] = ()
    """Strings that end an answer, where the model writes them out."""
    denied: str = ""
    """Why the FIM tokens in the vocabulary are not used; empty if they are, or if there are none."""
    architectures: tuple[str, ...] = ()
    """Probe: one of these."""
    tokens: tuple[str, ...] = ()
    """Probe: all of these among the control tokens."""
    tokenizer_models: tuple[str, ...] = ()
    """Probe: one of these."""
    tokenizer_pres: tuple[str, ...] = ()
    """Probe: one of these."""
    vocabulary_sizes: tuple[int, ...] = ()
    """Probe: one of these."""
    template: str = ""
    """Probe: the chat template contains this."""

    def matches(self, header: GgufHeader) -> bool:
        """True when ``header`` passes the probe."""
        return (
            header.architecture in (self.architectures or (header.architecture,))
            and header.tokenizer_model in (self.tokenizer_models or (header.tokenizer_model,))
            and header.tokenizer_pre in (self.tokenizer_pres or (header.tokenizer_pre,))
            and header.n_vocab in (self.vocabulary_sizes or (header.n_vocab,))
            and self.template in (header.chat_template or "")
            and all(token in header.control_tokens for token in self.tokens)
        )


_ROWS = (
    Family(
        id="opencoder",
        title="OpenCoder",
        architectures=("llama",),
        vocabulary_sizes=(96640,),
        denied="its FIM tokens are in the vocabulary, but it was not trained with them",
        chat=formats.CHATML,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|im_end|>",),
    ),
    Family(
        id="mamba-codestral",
        title="Mamba-Codestral",
        architectures=("mamba2",),
        tokens=("[PREFIX]", "[SUFFIX]", "[INST]", "[/INST]"),
        denied="its FIM tokens are in the vocabulary, but it was not trained with them",
        chat=formats.MISTRAL_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("</s>",),
    ),
    Family(
        id="mistral-tekken",
        title="Devstral, Mistral Small and others with the V7-Tekken vocabulary",
        tokens=("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[PREFIX]", "[SUFFIX]"),
        tokenizer_models=("gpt2",),
        fim=formats.MISTRAL_FIM,
        denied="the tokens are in the vocabulary, but no training with them is documented for Devstral",
        chat=formats.TEKKEN_CHAT,
        layouts=(CHAT_PREFILL, FIM_SPM, LEFT_TO_RIGHT),
        stops=("</s>",),
    ),
    Family(
        id="codestral",
        title="Codestral 22B",
        tokens=("[PREFIX]", "[SUFFIX]"),
        tokenizer_models=("llama",),
        fim=formats.MISTRAL_FIM,
        chat=formats.MISTRAL_CHAT,
        layouts=(FIM_SPM, CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("</s>",),
    ),
    Family(
        id="mistral-chat",
        title="Mistral Nemo, Mistral 7B v0.3 and others with [INST] tokens",
        tokens=("[INST]", "[/INST]"),
        chat=formats.MISTRAL_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("</s>",),
    ),
    Family(
        id="codegemma",
        title="CodeGemma",
        architectures=("gemma",),
        tokens=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
        fim=formats.CODEGEMMA_FIM,
        chat=formats.GEMMA_CHAT,
        layouts=(FIM_PSM, FIM_SPM_IN_PSM, CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|file_separator|>", "<end_of_turn>", "<eos>"),
    ),
    Family(
        id="granite-fim",
        title="Granite 4 and others with its FIM tokens",
        architectures=("granite", "granitemoe", "granitehybrid"),
        tokens=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        fim=formats.GRANITE_FIM,
        chat=formats.GRANITE_CHAT,
        layouts=(FIM_PSM, FIM_SPM_IN_PSM, CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|end_of_text|>",),
    ),
    Family(
        id="qwen-fim",
        title="Qwen2.5-Coder, Qwen3-Coder",
        tokens=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        fim=formats.QWEN_FIM,
        chat=formats.CHATML,
        layouts=(FIM_SPM_IN_PSM, FIM_PSM, CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|endoftext|>", "<|file_sep|>", "<|im_end|>"),
    ),
    Family(
        id="mellum",
        title="Mellum",
        tokens=("<filename>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        tokenizer_pres=("mellum", "mellum2"),
        fim=formats.MELLUM_FIM,
        layouts=(FIM_SPM, LEFT_TO_RIGHT),
        stops=("<|endoftext|>", "<filename>"),
    ),
    Family(
        id="starcoder-fim",
        title="StarCoder2, StableCode, CodeQwen1.5",
        tokens=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>"),
        fim=formats.STARCODER_FIM,
        chat=formats.CHATML,
        layouts=(FIM_PSM, FIM_SPM_IN_PSM, CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|endoftext|>", "<file_sep>", "<|im_end|>"),
    ),
    Family(
        id="starcoder-1-fim",
        title="StarCoder, Granite-code",
        tokens=("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        fim=formats.STARCODER_1_FIM,
        layouts=(FIM_PSM, FIM_SPM_IN_PSM, LEFT_TO_RIGHT),
        stops=("<|endoftext|>", "<filename>"),
    ),
    Family(
        id="santacoder-fim",
        title="SantaCoder",
        tokens=("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
        fim=formats.SANTACODER_FIM,
        layouts=(FIM_PSM, FIM_SPM_IN_PSM, LEFT_TO_RIGHT),
        stops=("<|endoftext|>",),
    ),
    Family(
        id="codellama",
        title="Code Llama 7B, 13B",
        tokens=("▁<PRE>", "▁<SUF>", "▁<MID>"),
        fim=formats.CODE_LLAMA_FIM,
        layouts=(FIM_SPM_IN_PSM, FIM_PSM, LEFT_TO_RIGHT),
        stops=("<EOT>", "</s>"),
    ),
    Family(
        id="deepseek-coder",
        title="DeepSeek-Coder",
        tokens=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        fim=formats.DEEPSEEK_FIM,
        layouts=(FIM_PSM, LEFT_TO_RIGHT),
        stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    ),
    Family(
        id="seed-coder",
        title="Seed-Coder",
        tokens=("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
        fim=formats.SEED_CODER_FIM,
        layouts=(FIM_SPM, LEFT_TO_RIGHT),
        stops=("<[end▁of▁sentence]>",),
    ),
    Family(
        id="codegeex4",
        title="CodeGeeX4",
        tokens=("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
        fim=formats.CODEGEEX_FIM,
        layouts=(FIM_SPM, LEFT_TO_RIGHT),
        stops=("<|endoftext|>", "<|user|>"),
    ),
    Family(
        id="chatml",
        title="Chat model with ChatML",
        tokens=("<|im_start|>", "<|im_end|>"),
        template="<|im_start|>",
        chat=formats.CHATML,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|im_end|>", "<|endoftext|>"),
    ),
    Family(
        id="gemma-chat",
        title="Gemma, instruction-tuned",
        tokens=("<start_of_turn>", "<end_of_turn>"),
        template="<start_of_turn>",
        chat=formats.GEMMA_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<end_of_turn>", "<eos>"),
    ),
    Family(
        id="llama3-chat",
        title="Llama 3, instruction-tuned",
        tokens=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        template="<|start_header_id|>",
        chat=formats.LLAMA_3_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|eot_id|>", "<|end_of_text|>"),
    ),
    Family(
        id="granite-chat",
        title="Granite, instruction-tuned",
        tokens=("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        template="<|start_of_role|>",
        chat=formats.GRANITE_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("<|end_of_text|>",),
    ),
    Family(
        id="inst-chat",
        title="Llama 2 and the first Mistral models, instruction-tuned",
        tokenizer_models=("llama",),
        template="[INST]",
        chat=formats.INST_TEXT_CHAT,
        layouts=(CHAT_PREFILL, LEFT_TO_RIGHT),
        stops=("</s>",),
    ),
    Family(
        id="chat-endpoint",
        title="A model behind an endpoint that takes nothing but messages",
        tokens=("role:system", "role:user"),  # no vocabulary has them: no file is of this family
        chat=formats.MESSAGES_CHAT,
        layouts=(CHAT_OVERLAP,),
    ),
    Family(id="plain", title="Any other model", layouts=(LEFT_TO_RIGHT,)),
)

FAMILIES: Mapping[str, Family] = {family.id: family for family in _ROWS}
"""By id, in the order in which they are tried; the last one accepts every header."""


def family_of(header: GgufHeader) -> Family:
    """The first family whose probe accepts ``header``."""
    return next(family for family in FAMILIES.values() if family.matches(header))


def layouts_of(header: GgufHeader) -> tuple[str, ...]:
    """The layouts of the model's family that its vocabulary has the tokens for, best first; never empty.

    Many FIM families have base models without the chat tokens.
    """
    return layouts_with(family_of(header), header.control_tokens)


def layouts_with(family: Family, tokens: Collection[str]) -> tuple[str, ...]:
    """The layouts of ``family`` for which ``tokens``, the control tokens of a vocabulary, suffice, best first; never empty."""
    can_chat = family.chat is not None and all(token in tokens for token in family.chat.specials)
    return tuple(layout for layout in family.layouts if layout != CHAT_PREFILL or can_chat) or (LEFT_TO_RIGHT,)


def bos_token(header: GgufHeader) -> str | None:
    """The control token that every prompt begins with; ``None`` where the model has none."""
    if not header.add_bos or header.bos_id is None:
        return None
    return next((text for text, token_id in header.control_tokens.items() if token_id == header.bos_id), None)
