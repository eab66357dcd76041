"""The forward pass of a BERT encoder in numpy: enough for small sentence models, without PyTorch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Bert:
    """A BERT encoder.

    Attributes:
        weights: by name, as in the model's file.
        layers: how many.
        heads: of attention.
        epsilon: of the layers' normalisation.
    """

    weights: dict[str, Array]
    layers: int
    heads: int
    epsilon: float

    def __call__(self, tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Array:
        """Hidden states (text, token, dimension) of token ids; ``mask`` is 0 where there is padding."""
        words = self.weights["embeddings.word_embeddings.weight"][tokens]
        places = self.weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        state = self._normalised(words + places + kind, "embeddings.LayerNorm")
        unseen = ((1 - mask) * np.float32(-1e9))[:, None, None, :].astype(np.float32)
        for layer in range(self.layers):
            state = self._layer(state, unseen, f"encoder.layer.{layer}")
        return state

    def _layer(self, state: Array, unseen: Array, at: str) -> Array:
        attended = self._linear(
            self._attention(state, unseen, f"{at}.attention.self"), f"{at}.attention.output.dense"
        )
        state = self._normalised(state + attended, f"{at}.attention.output.LayerNorm")
        inner = _gelu(self._linear(state, f"{at}.intermediate.dense"))
        return self._normalised(state + self._linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")

    def _attention(self, state: Array, unseen: Array, at: str) -> Array:
        texts, length, width = state.shape
        query, key, value = (
            self._linear(state, f"{at}.{name}").reshape(texts, length, self.heads, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores: Array = query @ key.transpose(0, 1, 3, 2)
        scores *= np.float32(1 / np.sqrt(width // self.heads))
        scores += unseen
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        out: Array = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, length, width)
        return out

    def _linear(self, state: Array, at: str) -> Array:
        flat = state.reshape(-1, state.shape[-1])  # one large product is faster than many small ones
        out = flat @ self.weights[f"{at}.weight"].T + self.weights[f"{at}.bias"]
        return out.reshape(*state.shape[:-1], -1)

    def _normalised(self, state: Array, at: str) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))
        out: Array = centred / spread * self.weights[f"{at}.weight"] + self.weights[f"{at}.bias"]
        return out


def _gelu(x: Array) -> Array:
    out: Array = x * np.float32(np.sqrt(0.5))
    erf(out, out=out)
    out += 1
    out *= x
    out *= np.float32(0.5)
    return out
