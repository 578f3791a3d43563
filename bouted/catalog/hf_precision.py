"""The precision that a folder's weight files are in, as `quantization_config` says."""

from bouted.catalog.hf_fields import Fields
from bouted.catalog.precision import Precision

METHODS = {
    "fp8": Precision.FP8,
    "fbgemm_fp8": Precision.FP8,
    "mxfp4": Precision.MXFP4,
}
MODELOPT = {"FP8": Precision.FP8, "NVFP4": Precision.NVFP4}


def published_precision(top: Fields, beside: Fields | None) -> Precision:
    """The precision by `config.json`, or by modelopt's file `beside` it; bf16 where neither says anything.

    Misconfigured for a quantisation that bouted does not know.
    """
    if beside is not None:
        return _modelopt(beside.inner("quantization"))
    if not top.values.get("quantization_config"):
        return Precision.BF16
    quantised = top.inner("quantization_config")
    method = quantised.values.get("quant_method")
    if method in METHODS:
        return METHODS[method]
    if method in ("awq", "gptq"):
        return _four_bits(quantised)
    if method == "modelopt":
        return _modelopt(quantised)
    if method == "compressed-tensors":
        return _compressed(quantised)
    raise quantised.wrong(f"quantisation {method} is not supported", "known: fp8, awq, gptq, mxfp4, nvfp4")


def keeps_attention(top: Fields) -> bool:
    """Whether the checkpoint leaves its layers' attention out of the quantisation, as Meta's FP8 ones do."""
    quantised = top.values.get("quantization_config")
    left_out = quantised.get("modules_to_not_convert") if isinstance(quantised, dict) else None
    return any("self_attn" in str(name) for name in left_out or ())


def _four_bits(quantised: Fields) -> Precision:
    bits = quantised.count("bits", "w_bit")
    if bits != 4:
        raise quantised.wrong(f"{bits}-bit {quantised.values['quant_method']} is not supported", "4 bits are")
    return Precision.INT4


def _modelopt(quantised: Fields) -> Precision:
    algorithm = quantised.values.get("quant_algo")
    if algorithm not in MODELOPT:
        raise quantised.wrong(f"quantisation {algorithm} is not supported", f"known: {', '.join(MODELOPT)}")
    return MODELOPT[algorithm]


def _compressed(quantised: Fields) -> Precision:
    """By the weights of its first group: their bits, and whether they are floats."""
    groups = quantised.inner("config_groups")
    first = next(iter(groups.values), "group_0")
    weights = groups.inner(first).inner("weights")
    bits, kind = weights.count("num_bits"), weights.values.get("type")
    known = {(8, "float"): Precision.FP8, (4, "float"): Precision.NVFP4, (4, "int"): Precision.INT4}
    if (bits, kind) not in known:
        raise weights.wrong(f"weights of {bits} bits ({kind}) are not supported", "fp8, nvfp4 and int4 are")
    return known[bits, str(kind)]
