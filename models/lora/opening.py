"""Opening a trained adapter for use, in full precision, by the agreement that it was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.reading import read_tokenizer, read_weights
from models.lora.rendering import defuse
from models.lora.template import FILE, Template, check_same, read_template, special_texts
from schemas.errors import StageFailed


@dataclass(frozen=True)
class Opened:
    """A PEFT model in evaluation mode, its tokenizer, and how it is spoken to."""

    model: Any
    tokenizer: Any
    template: Template

    @property
    def device(self) -> Any:
        """Where the model's inputs go."""
        return self.model.device

    def ask(self, prompt: str, system: str | None = None) -> list[int]:
        """Token ids that ask for a reply to one user message; `system` in place of the agreed system prompt.

        Marks that stand in the text are read as words, as in training.
        """
        told = [{"role": "system", "content": system}] if system else []
        turns = self.template.messages([*told, {"role": "user", "content": prompt}])
        marks = special_texts(self.tokenizer)
        ids: list[int] = self.tokenizer(
            self.tokenizer.apply_chat_template(
                [{"role": turn["role"], "content": defuse(turn["content"], marks)[0]} for turn in turns],
                chat_template=self.template.chat_template,
                tokenize=False,
                add_generation_prompt=True,
            ),
            add_special_tokens=False,
        )["input_ids"]
        return ids

    @property
    def end(self) -> int:
        """The token with which a reply ends. Raises StageFailed when the tokenizer has no such token."""
        found = self.tokenizer.convert_tokens_to_ids(self.template.end)
        if found is None or found == self.tokenizer.unk_token_id:
            raise StageFailed(
                f"the tokenizer has no token {self.template.end!r}, with which replies were trained to end",
                fix="Use the base that the adapter was trained on.",
            )
        return int(found)


def check_handshake(adapter: Path, digest: str | None = None) -> tuple[Any, Template]:
    """Tokenizer and template of an adapter's folder, compared with what the training said of them.

    Any program that loads the folder takes the tokenizer's own chat template: that one must be the agreed one.
    `digest` is that of the agreement, as the training's result has it. Raises StageFailed for another template.
    """
    trained = read_template(adapter)
    if digest is not None and trained.digest != digest:
        raise StageFailed(
            "the template beside the adapter is not the one that it was trained with",
            where=str(adapter / FILE),
            fix="Put the file back as the training wrote it, or train again.",
        )
    tokenizer = read_tokenizer(adapter)
    own = tokenizer.chat_template
    used = trained.model_copy(
        update={"chat_template": own["default"] if isinstance(own, dict) else str(own or "")}
    )
    check_same(trained, used, where=str(adapter))
    return tokenizer, trained


def open_adapter(base: Path, adapter: Path, digest: str | None = None, dtype: str = "float32") -> Opened:
    """The base, not quantised, with the adapter on it; on an accelerator when there is one.

    Raises StageFailed when the template does not match, or when base and adapter do not fit.
    """
    import torch
    from peft import PeftModel

    tokenizer, template = check_handshake(adapter, digest)
    model = read_weights(base, dtype=getattr(torch, dtype))
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise StageFailed(
            f"the base knows {rows} tokens, the adapter's tokenizer {len(tokenizer)}: this is another base",
            where=str(base),
            fix="Use the base that the adapter was trained on.",
        )
    try:
        tuned = PeftModel.from_pretrained(model, adapter, local_files_only=True)
    except (RuntimeError, ValueError) as error:  # sizes or layers that are not those of the adapter
        raise StageFailed(
            f"the adapter does not fit this base ({type(error).__name__})",
            where=str(base),
            fix="Use the base that the adapter was trained on.",
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Opened(tuned.to(device).eval(), tokenizer, template)
