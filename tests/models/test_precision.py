"""Precision is chosen from the hardware and from nothing else."""

import keras
import pytest

from flexunet.errors import ConfigError
from flexunet.machine import processor_flags, usable_flags
from flexunet.models.precision import choose_jit, choose_precision, precision_for

X86 = frozenset({"fpu", "avx2", "avx512f"})


@pytest.mark.parametrize(
    ("flags", "capability", "expected"),
    [
        (X86, None, "float32"),
        (X86 | {"avx512_bf16"}, None, "mixed_bfloat16"),
        (X86 | {"amx_bf16"}, None, "mixed_bfloat16"),
        (frozenset({"asimd", "bf16"}), None, "mixed_bfloat16"),
        (frozenset(), None, "float32"),
        (X86 | {"avx512_bf16"}, (6, 1), "float32"),
        (X86, (7, 0), "mixed_float16"),
        (X86, (7, 5), "mixed_float16"),
        (X86, (8, 0), "mixed_bfloat16"),
        (X86, (10, 0), "mixed_bfloat16"),
    ],
)
def test_hardware_decides(flags, capability, expected):
    policy, reason = precision_for(flags, capability)
    assert policy == expected
    assert reason.startswith(f"{expected}: ")


def test_flags_are_read_from_the_system(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nmodel name\t: AMD\nflags\t\t: fpu avx512_bf16\n\nprocessor\t: 1\nflags\t: fpu\n"
    )
    assert processor_flags(file) == {"fpu", "avx512_bf16"}
    file.write_text("processor\t: 0\nFeatures\t: asimd bf16\n")
    assert processor_flags(file) == {"asimd", "bf16"}
    assert processor_flags(tmp_path / "absent") == frozenset()


@pytest.mark.parametrize(
    ("name", "cap", "kept"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2", False),
        ("DNNL_MAX_CPU_ISA", "avx512_core", False),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", True),
        ("ONEDNN_MAX_CPU_ISA", "DEFAULT", True),
        ("OTHER", "AVX2", True),
    ],
)
def test_a_capped_onednn_does_not_multiply_bfloat16(name, cap, kept):
    flags = frozenset({"avx2", "avx512_bf16"})
    assert usable_flags(flags, {name: cap}) == (flags if kept else {"avx2"})


def test_a_setting_is_taken_as_it_is():
    assert choose_precision("mixed_float16") == ("mixed_float16", "mixed_float16: set by [train] precision")
    with pytest.raises(ConfigError, match="Did you mean 'mixed_bfloat16'"):
        choose_precision("bfloat16")


@pytest.mark.engines
def test_auto_names_a_policy_that_keras_knows():
    policy, reason = choose_precision("auto")
    assert keras.DTypePolicy(policy).name == policy
    assert reason


def test_compilation_as_set():
    assert choose_jit(True) is True
    assert choose_jit(False) is False
