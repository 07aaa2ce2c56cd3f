"""What the client makes of the output `valid`: no caller gets the blank picture of a row that was out of bounds.

Our server refuses such a request before it runs. tensorflow_model_server answers it, and marks the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import grpc
import numpy as np

from serving import signatures as s
from serving.client.errors import ClientError
from serving.client.messages import to_array
from serving.protos.predict import GetModelMetadataRequest, PredictRequest, PredictResponse

_SHOWN_ROWS = 5
_RULE_OF_ROWS = (
    "labels must be classes of the model, truncations within its bounds (0.02 to 1 for BigGAN, 0 to 2 for StyleGAN), "
    "and all other inputs finite and not so large that the picture overflows."
)
_RULE_OF_PICTURES = (
    f"each must be a PNG or JPEG file of at most {s.MAX_PICTURE_PIXELS} pixels. TensorFlow reads no WebP: save such a "
    "picture as PNG, or ask the server of this package."
)
Request: TypeAlias = PredictRequest | GetModelMetadataRequest


class RowValidity:
    """Asks for `valid` with every output, unless the model lacks it, as exports of version 0.1 do.

    Args:
        target: The address of the server, which an error names.
    """

    def __init__(self, target: str):
        self._target = target
        # The version of the model that lacks the output, by signature; None: its number is not seen yet.
        self._lacking: dict[str, int | None] = {}

    def outputs(self, signature: str, output: str) -> tuple[str, ...]:
        """The outputs to ask a signature for, so that the rows of one of them can be trusted."""
        return (output,) if signature in self._lacking else (output, s.VALID)

    def drop_if_unknown(self, request: Request, error: grpc.RpcError) -> bool:
        """Takes `valid` out of a request if that is what the server refused; returns whether to send it again.

        Args:
            request: The request, which is changed. One for no outputs is not.
            error: What gRPC raised for it.
        """
        if not isinstance(request, PredictRequest):
            return False
        unknown = f"output tensor alias not found in signature: {s.VALID} "
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT or unknown not in (error.details() or ""):
            return False
        if s.VALID not in request.output_filter:
            return False
        request.output_filter.remove(s.VALID)
        self._lacking.setdefault(request.model_spec.signature_name, None)
        return True

    def check(self, answers: Sequence[PredictResponse], signature: str, output: str) -> None:
        """Checks the answers to the parts of a call.

        Args:
            answers: In the order of the parts.
            signature: The signature that was called.
            output: The output that was asked for.

        Raises:
            ClientError: A row is marked as not valid.
        """
        bad, start = [], 0
        for answer in answers:
            self._note_version(answer)
            if s.VALID in answer.outputs:
                bad += [start + int(row) for row in np.flatnonzero(~to_array(answer.outputs[s.VALID]))]
            start += answer.outputs[output].tensor_shape.dim[0].size
        if bad:
            shown = ", ".join(map(str, bad[:_SHOWN_ROWS])) + (", ..." if len(bad) > _SHOWN_ROWS else "")
            raise ClientError(
                f"{self._target} cannot answer {len(bad)} of {start} rows ({shown}): "
                f"{_RULE_OF_PICTURES if signature == s.UPSCALE else _RULE_OF_ROWS}",
                grpc.StatusCode.INVALID_ARGUMENT,
            )

    def _note_version(self, answer: PredictResponse) -> None:
        """Asks for `valid` again once another version of the model answers."""
        signature, version = answer.model_spec.signature_name, answer.model_spec.version.value
        if signature in self._lacking:
            if self._lacking.get(signature) in (None, version):
                self._lacking[signature] = version
            else:
                self._lacking.pop(signature, None)
