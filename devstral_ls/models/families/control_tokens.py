"""Control tokens of known vocabularies that no prompt of ours is built with, and which marked tokens are plain text.

Document text must not become these either: a tool call, a thought or a new file changes what the model believes it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_MISTRAL = (
    *("<unk>", "<pad>", "[MIDDLE]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[AUDIO]", "[BEGIN_AUDIO]"),
    *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[TOOL_CONTENT]"),
    *("[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]", "[MODEL_SETTINGS]", "[/MODEL_SETTINGS]"),
)
_QWEN = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
_GEMMA = (
    *("<bos>", "<mask>", "<2mass>", "[@BOS@]", "[multimodal]"),
    *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
)
_STARCODER = (
    *("<fim_pad>", "<fim-pad>", "<reponame>", "<repo_name>", "<gh_stars>", "<empty_output>"),
    *("<issue_start>", "<issue_comment>", "<issue_closed>", "<commit_before>", "<commit_msg>", "<commit_after>"),
    *("<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<jupyter_script>"),
    *("<pr>", "<pr_status>", "<pr_is_merged>", "<pr_base>", "<pr_file>", "<pr_base_code>", "<pr_diff>"),
    *("<pr_diff_hunk>", "<pr_comment>", "<pr_event_id>", "<pr_review>", "<pr_review_state>", "<pr_review_comment>"),
    *("<pr_in_reply_to_review_id>", "<pr_in_reply_to_comment_id>", "<pr_diff_hunk_comment_line>"),
    *("<NAME>", "<EMAIL>", "<KEY>", "<PASSWORD>"),
)
_LLAMA_2 = ("▁<EOT>", "<<SYS>>", "<</SYS>>", "[INST]", "[/INST]")
"""The system and instruction marks are ordinary text to Llama 2, and give a role all the same."""
_GLM = ("[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>")

OTHER_CONTROL_TOKENS = frozenset((*_MISTRAL, *_QWEN, *_GEMMA, *_STARCODER, *_LLAMA_2, *_GLM))
"""From the published tokenizer configurations of the families in the table. Those that ``LOOKS`` covers are left out."""

LOOKS = re.compile(
    r"<[|｜][^\s|｜<>]{1,40}[|｜]>"  # most families; DeepSeek with full-width bars
    r"|<\[[^\s<>\[\]]{1,40}\]>"  # Seed-Coder
    r"|<(?:SPECIAL_|unused|extra_id_|reserved_)\d{1,5}>"  # what vocabularies keep in reserve
)
"""What is a control token by its looks, whatever its name."""

_IN_TEMPLATES = re.compile(r"<[^\s<>{}%]{1,60}>|\[/?[A-Z_]{2,40}\]")
_TEMPLATE_CHARACTERS = 1 << 18
"""So much of a chat template is read; the longest that is known has 10,000."""

_MARKUP = re.compile(
    r"</?(?:a|b|blockquote|br|caption|code|div|em|h[1-6]|i|img|li|ol|p|pre|s|span|strong|sub|sup|"
    r"table|tbody|td|tfoot|th|thead|tr|u|ul)>"
)


def is_ordinary(name: str) -> bool:
    """True when a token that a vocabulary marks as special or user-defined is nothing but text: a run of spaces, one
    character (DeepSeek has letters with accents), or an HTML tag (Gemma): models read them as they stand in documents.
    """
    return len(name.replace("▁", " ").strip()) <= 1 or _MARKUP.fullmatch(name) is not None


def control_names(marked: Iterable[str]) -> frozenset[str]:
    """Those of ``marked``, tokens that a vocabulary marks as special or user-defined, that are more than text."""
    return frozenset(name for name in marked if not is_ordinary(name))


def named_in(template: str) -> frozenset[str]:
    """What in a chat template may be the name of a control token. Some are words of the template only."""
    return control_names(_IN_TEMPLATES.findall(template[:_TEMPLATE_CHARACTERS]))
