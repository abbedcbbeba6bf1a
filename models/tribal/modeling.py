"""NOVA as a Hugging Face model: embeddings coloured by members, causal blocks, resonance, a tied head.

    alpha = detector(embedding)               a weight per member, at every position
    x = mixing(embedding, alpha) + position   members colour the word, not its place
    x = blocks(x)
    logits = head(resonance(norm(x), alpha))

Importing this module registers it: `AutoModelForCausalLM.from_pretrained(folder)` then loads a NOVA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import ModelOutput
from transformers.modeling_utils import slice_logits_to_keep
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from models.tribal.blocks import NovaAttention, NovaBlock
from models.tribal.configuration import MODEL_TYPE, NovaConfig
from models.tribal.detector import ContextDetector, uniform_alpha
from models.tribal.mixing import ConcatMixing, ResidualMixing
from models.tribal.resonance import STEEPNESS, THRESHOLD, TribalResonance
from schemas.errors import UsageError


@dataclass
class NovaModelOutput(ModelOutput):  # type: ignore[misc]
    """`last_hidden_state` [B, T, d] after resonance; `log_alpha` [B, T, N] in fp32."""

    last_hidden_state: torch.Tensor | None = None
    log_alpha: torch.Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


@dataclass
class NovaOutput(ModelOutput):  # type: ignore[misc]
    """`loss` = `lm_loss` + weight * what the labels cost per token; `label_loss` is the mean per unit of label.

    Losses are in nats; `logits` [B, T, V]; `alpha` [B, T, N], the members' weights in the order of the configuration.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    alpha: torch.Tensor | None = None
    lm_loss: torch.Tensor | None = None
    label_loss: torch.Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


class NovaPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    """What the library needs to know of a NOVA."""

    config_class = NovaConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ("NovaBlock",)
    _skip_keys_device_placement = ("past_key_values",)
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012 - as in every model of the library
        "hidden_states": NovaBlock,
        "attentions": OutputRecorder(NovaAttention, index=1),
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Normal weights; paths into the residual stream smaller by sqrt(2 * layers); members begin silent.

        The library asks only for modules that hold weights themselves, so a matrix that begins otherwise says so.
        """
        super()._init_weights(module)
        if isinstance(module, nn.Linear) and hasattr(module, "first_std"):
            init.normal_(module.weight, mean=0.0, std=module.first_std)
        elif isinstance(module, ConcatMixing):
            init.ones_(module.patterns)
        elif isinstance(module, TribalResonance):
            init.constant_(module.threshold, THRESHOLD)
            init.constant_(module.steepness, STEEPNESS)
            if module.widths is None:
                init.zeros_(module.profile)


class NovaModel(NovaPreTrainedModel):
    """Everything but the head."""

    def __init__(self, config: NovaConfig) -> None:
        super().__init__(config)
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context, config.d_model)
        self.detector = ContextDetector(config) if config.detector == "learned" else None
        self.mixing = ConcatMixing(config) if config.mixing == "concat" else ResidualMixing(config)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(NovaBlock(config, layer) for layer in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.resonance = TribalResonance(config)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The table of token embeddings."""
        return self.token_embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Exchange the table, when the vocabulary grows."""
        self.token_embedding = value

    @merge_with_config_defaults  # type: ignore[untyped-decorator, unused-ignore]
    @capture_outputs  # type: ignore[untyped-decorator, unused-ignore]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> NovaModelOutput:
        """Token ids [B, T] (or embeddings [B, T, d]) to hidden states. `position_ids` that begin anew within a row
        keep packed windows apart, where there is no `attention_mask`. Raises ValueError for more tokens than the context holds.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        embedded = self.token_embedding(input_ids) if inputs_embeds is None else inputs_embeds
        mask = (
            create_causal_mask(  # before there is a new cache: packed windows are looked for only without one
                config=self.config,
                inputs_embeds=embedded,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
                position_ids=position_ids,
            )
        )
        position_ids = self._positions(embedded, attention_mask, position_ids, past_key_values)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if self.detector is None:
            log_alpha = uniform_alpha(embedded, len(self.config.members))
        else:
            log_alpha = self.detector(embedded, mask, past_key_values, **kwargs)
        alpha = log_alpha.exp().to(embedded.dtype)
        hidden = self.dropout(self.mixing(embedded, alpha) + self.position_embedding(position_ids))
        for block in self.blocks:
            hidden = block(hidden, mask, past_key_values=past_key_values, **kwargs)
        hidden = self.resonance(self.norm(hidden), alpha)
        return NovaModelOutput(last_hidden_state=hidden, log_alpha=log_alpha, past_key_values=past_key_values)

    def _positions(
        self,
        embedded: torch.Tensor,
        attention_mask: torch.Tensor | None,
        given: torch.Tensor | None,
        past_key_values: Cache | None,
    ) -> torch.Tensor:
        """Places [B or 1, T], counted from the first token that is no padding, unless they are given."""
        length, limit = embedded.shape[1], self.config.context
        seen = past_key_values.get_seq_length() if past_key_values is not None else 0
        if given is not None:
            places = given
        elif attention_mask is not None and attention_mask.ndim == 2:
            places = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -length:]
        else:
            places = (torch.arange(length, device=embedded.device) + seen).unsqueeze(0)
        if torch.compiler.is_compiling():
            return places
        # To look at them waits for an accelerator: there only when there are so many that some may be too far.
        many = isinstance(seen, int) and seen + length > limit
        if (many or places.device.type == "cpu") and places.numel() and int(places.max()) >= limit:
            found = int(places.max()) + 1
            raise ValueError(f"{found} tokens are more than the context of {limit} that this NOVA has")
        return places


class NovaForCausalLM(NovaPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """NOVA with its head: the next token, and who speaks."""

    _tied_weights_keys = {"lm_head.weight": "model.token_embedding.weight"}  # noqa: RUF012

    def __init__(self, config: NovaConfig) -> None:
        super().__init__(config)
        self.model = NovaModel(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple  # type: ignore[untyped-decorator, unused-ignore]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        member_targets: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        return_alpha: bool = False,
        **kwargs: Any,
    ) -> NovaOutput:
        """Logits, and losses where there are labels.

        `labels` [B, T] are token ids, shifted here, -100 ignored. `member_targets` [B, T, N]: at each position who
        speaks, as a distribution times its weight; a row of zeros is not known and not learned from.
        """
        items = kwargs.pop("num_items_in_batch", None)
        if use_cache is None and labels is not None:
            use_cache = False  # nobody goes on from a batch of training
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep))
        lm_loss = None
        if labels is not None:
            lm_loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, num_items_in_batch=items
            )
        loss, label_loss = self._with_labels(lm_loss, labels, outputs.log_alpha, member_targets, items)
        return NovaOutput(
            loss=loss,
            logits=logits,
            alpha=outputs.log_alpha.exp() if return_alpha else None,
            lm_loss=lm_loss,
            label_loss=label_loss,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _with_labels(
        self,
        lm_loss: torch.Tensor | None,
        labels: torch.Tensor | None,
        log_alpha: torch.Tensor,
        targets: torch.Tensor | None,
        items: Any,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Both losses as one, and the labels' own. Per token of the text, so that accumulated batches add up."""
        if targets is None:
            return lm_loss, None
        cost, known = -(targets * log_alpha).sum(), targets.sum()
        mean = cost / known.clamp(min=1e-6)
        if lm_loss is None or labels is None:
            return self.config.label_loss_weight * mean, mean
        tokens = items if items is not None else (labels[:, 1:] != -100).sum().clamp(min=1)
        return lm_loss + self.config.label_loss_weight * cost / tokens, mean

    @torch.no_grad()
    def add_member(self, name: str) -> None:
        """A further member, at the end of the list. What the model says stays as it was until it is trained.

        Raises UsageError in concat mode, without a detector and for a name that is empty or taken.
        """
        if self.config.mixing != "residual":
            raise UsageError(
                f"{name!r} cannot be added: in concat mode the members' widths sum to d_model, so there is no room",
                fix="Train a NOVA with mixing: residual, whose members are slots of their own.",
            )
        if self.config.detector != "learned":
            raise UsageError(
                f"{name!r} cannot be added: without a detector every member weighs the same, so all would change",
                fix="Train a NOVA with a learned detector.",
            )
        if not name.strip():
            raise UsageError("a member needs a name", fix="Give one with at least one letter.")
        if name.casefold() in {member.casefold() for member in self.config.members}:
            raise UsageError(f"{name!r} is a member already", fix="Choose another name.")
        self.config.members = [*self.config.members, name]
        inner: Any = self.model
        inner.detector.grow()
        inner.mixing.grow(self.config.initializer_range)
        inner.resonance.grow()


AutoConfig.register(MODEL_TYPE, NovaConfig, exist_ok=True)
AutoModel.register(NovaConfig, NovaModel, exist_ok=True)
AutoModelForCausalLM.register(NovaConfig, NovaForCausalLM, exist_ok=True)
