"""The FIM and chat formats of model families as prompt parts, with control tokens as ``Special`` throughout."""

from __future__ import annotations

from dataclasses import dataclass

from devstral_ls.generation import Prompt, Special, Text


@dataclass(frozen=True, slots=True)
class FimFormat:
    """The fill-in-the-middle tokens of a family, by their texts in the vocabulary."""

    prefix: str
    """Precedes the code before the cursor."""
    suffix: str
    """Precedes the code after the cursor."""
    middle: str | None
    """Precedes the answer; ``None``: the answer follows the prefix without a token."""
    file: Special | Text | None = None
    """Precedes another file, written as ``path\\ncontent``; ``None``: the family has no way to show one."""
    repository: str | None = None
    """Precedes the repository's name, before the first file."""
    names_own_file: bool = False
    """True when the file with the hole is named, too: by ``file`` and its path before the FIM tokens."""
    header: str = ""
    """Plain text before the FIM tokens; ``{path}`` and ``{language}`` are filled in."""


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """How a family writes system prompt, user message and the beginning of an answer, without BOS.

    Nothing follows the opened answer, so the model continues whatever the caller appends as ``Text`` (prefill).
    """

    user_open: Prompt
    user_close: Prompt
    """Ends the user message and opens the answer."""
    system_open: Prompt = ()
    """Empty: the family has no system role, and the system prompt precedes the user message."""
    system_close: Prompt = ()
    answer_close: Prompt = ()
    """Ends an answer that is followed by another turn."""

    def ask(self, system: str, user: str) -> Prompt:
        """One user message, with the answer opened."""
        if not self.system_open:
            return (*self.user_open, Text(f"{system}\n\n{user}" if system else user), *self.user_close)
        before = (*self.system_open, Text(system), *self.system_close) if system else ()
        return (*before, *self.user_open, Text(user), *self.user_close)

    @property
    def specials(self) -> tuple[str, ...]:
        """The control tokens that a model needs for this format."""
        parts = (*self.user_open, *self.user_close, *self.system_open, *self.system_close)
        return tuple(part.token for part in parts if isinstance(part, Special))


QWEN_FIM = FimFormat(
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    file=Special("<|file_sep|>"),
    repository="<|repo_name|>",
)
STARCODER_FIM = FimFormat(
    prefix="<fim_prefix>", suffix="<fim_suffix>", middle="<fim_middle>", file=Special("<file_sep>")
)
STARCODER_1_FIM = FimFormat(
    prefix="<fim_prefix>", suffix="<fim_suffix>", middle="<fim_middle>", file=Special("<filename>")
)
SANTACODER_FIM = FimFormat(prefix="<fim-prefix>", suffix="<fim-suffix>", middle="<fim-middle>")
GRANITE_FIM = FimFormat(prefix="<|fim_prefix|>", suffix="<|fim_suffix|>", middle="<|fim_middle|>")
CODE_LLAMA_FIM = FimFormat(prefix="▁<PRE>", suffix="▁<SUF>", middle="▁<MID>")
DEEPSEEK_FIM = FimFormat(prefix="<｜fim▁begin｜>", suffix="<｜fim▁hole｜>", middle="<｜fim▁end｜>")
CODEGEMMA_FIM = FimFormat(
    prefix="<|fim_prefix|>", suffix="<|fim_suffix|>", middle="<|fim_middle|>", file=Special("<|file_separator|>")
)
MISTRAL_FIM = FimFormat(prefix="[PREFIX]", suffix="[SUFFIX]", middle=None, file=Text("+++++ "))
MELLUM_FIM = FimFormat(
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    file=Special("<filename>"),
    names_own_file=True,
)
SEED_CODER_FIM = FimFormat(prefix="<[fim-prefix]>", suffix="<[fim-suffix]>", middle="<[fim-middle]>")
CODEGEEX_FIM = FimFormat(
    prefix="<|code_prefix|>",
    suffix="<|code_suffix|>",
    middle="<|code_middle|>",
    header="###PATH:{path}\n###LANGUAGE:{language}\n###MODE:BLOCK\n",
)

TEKKEN_CHAT = ChatFormat(
    system_open=(Special("[SYSTEM_PROMPT]"),),
    system_close=(Special("[/SYSTEM_PROMPT]"),),
    user_open=(Special("[INST]"),),
    user_close=(Special("[/INST]"),),
    answer_close=(Special("</s>"),),
)
"""V7-Tekken: no spaces or newlines around the tokens (checked against mistral-common)."""

MISTRAL_CHAT = ChatFormat(
    user_open=(Special("[INST]"),), user_close=(Special("[/INST]"),), answer_close=(Special("</s>"),)
)
"""V2 and V3 of Mistral's format: no system role."""

INST_TEXT_CHAT = ChatFormat(
    user_open=(Text("[INST] ", is_markup=True),),
    user_close=(Text(" [/INST]", is_markup=True),),
    answer_close=(Special("</s>"),),
)
"""Llama 2 and the first Mistral models, where ``[INST]`` is ordinary text."""

CHATML = ChatFormat(
    system_open=(Special("<|im_start|>"), Text("system\n")),
    system_close=(Special("<|im_end|>"), Text("\n")),
    user_open=(Special("<|im_start|>"), Text("user\n")),
    user_close=(Special("<|im_end|>"), Text("\n"), Special("<|im_start|>"), Text("assistant\n")),
    answer_close=(Special("<|im_end|>"), Text("\n")),
)
GEMMA_CHAT = ChatFormat(
    user_open=(Special("<start_of_turn>"), Text("user\n")),
    user_close=(Special("<end_of_turn>"), Text("\n"), Special("<start_of_turn>"), Text("model\n")),
    answer_close=(Special("<end_of_turn>"), Text("\n")),
)
LLAMA_3_CHAT = ChatFormat(
    system_open=(Special("<|start_header_id|>"), Text("system"), Special("<|end_header_id|>"), Text("\n\n")),
    system_close=(Special("<|eot_id|>"),),
    user_open=(Special("<|start_header_id|>"), Text("user"), Special("<|end_header_id|>"), Text("\n\n")),
    user_close=(
        Special("<|eot_id|>"),
        Special("<|start_header_id|>"),
        Text("assistant"),
        Special("<|end_header_id|>"),
        Text("\n\n"),
    ),
    answer_close=(Special("<|eot_id|>"),),
)
GRANITE_CHAT = ChatFormat(
    system_open=(Special("<|start_of_role|>"), Text("system"), Special("<|end_of_role|>")),
    system_close=(Special("<|end_of_text|>"), Text("\n")),
    user_open=(Special("<|start_of_role|>"), Text("user"), Special("<|end_of_role|>")),
    user_close=(
        Special("<|end_of_text|>"),
        Text("\n"),
        Special("<|start_of_role|>"),
        Text("assistant"),
        Special("<|end_of_role|>"),
    ),
    answer_close=(Special("<|end_of_text|>"), Text("\n")),
)

MESSAGES_CHAT = ChatFormat(
    system_open=(Special("role:system"),), user_open=(Special("role:user"),), user_close=(Special("role:assistant"),)
)
"""For engines that accept only messages: each of these parts, which are no tokens, begins a message."""
