"""Kernels of a device: the exclusive partition of their time, gaps, the classifier."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from engine.kernels import Gap, Kernel, Span, classify, gaps, host_spans, partition
from engine.units import Unit, Work

PEAK = 20e12


def test_what_is_covered_twice_counts_once_and_as_the_first_kind() -> None:
    spans = [
        Span(Work.SEQUENTIAL, 0.0, 10.0),
        Span(Work.STREAM, 2.0, 6.0),
        Span(Work.MATRIX, 4.0, 5.0),
        Span(Work.COPY, 5.5, 8.0),
    ]
    parts = partition(spans, 0.0, 16.0)
    assert {work: part * 16 for work, part in parts.items()} == {
        Work.MATRIX: 1.0,
        Work.STREAM: 3.0,
        Work.UNCLASSIFIED: 0.0,
        Work.COPY: 2.0,
        Work.SEQUENTIAL: 4.0,
        Work.IDLE: 6.0,
    }


def test_a_kernel_in_doubt_hides_a_copy_and_is_hidden_by_stream_work() -> None:
    spans = [Span(Work.UNCLASSIFIED, 0, 3), Span(Work.COPY, 0, 4), Span(Work.STREAM, 0, 1)]
    parts = partition(spans, 0, 4)
    assert (parts[Work.STREAM], parts[Work.UNCLASSIFIED], parts[Work.COPY]) == (0.25, 0.5, 0.25)


def test_parts_add_up_to_exactly_one_in_any_order() -> None:
    chance = random.Random(3)
    for _ in range(300):
        spans = [
            Span(chance.choice(list(Work)), begin := chance.uniform(-1, 3), begin + length)
            for length in (chance.uniform(-0.2, 0.7) for _ in range(chance.randrange(40)))
        ]
        parts = list(partition(spans, 0.0, chance.uniform(0.1, 3)).values())
        assert sum(map(Fraction, parts)) == 1
        assert sum(parts) == sum(reversed(parts)) == 1.0
        assert all(part >= 0 for part in parts)


def test_parts_are_those_of_a_fine_comb() -> None:
    chance = random.Random(5)
    spans = [
        Span(chance.choice(list(Work)[:5]), begin := chance.randrange(90), begin + 7)
        for _ in range(20)
    ]
    order = list(Work)
    counted = dict.fromkeys(Work, 0)
    for moment in range(100):
        here = [s.work for s in spans if s.start <= moment < s.end]
        counted[min(here, key=order.index, default=Work.IDLE)] += 1
    parts = partition(spans, 0, 100)
    assert {w: round(part * 100, 6) for w, part in parts.items()} == counted


def test_a_span_without_length_or_of_a_clock_put_back_covers_nothing() -> None:
    spans = [Span(Work.MATRIX, 1.0, 1.0), Span(Work.STREAM, 3.0, 2.0), Span(Work.COPY, 1.0, 2.0)]
    parts = partition(spans, 0.0, 4.0)
    assert (parts[Work.COPY], parts[Work.IDLE]) == (0.25, 0.75)


def test_what_lies_outside_the_stretch_is_cut_off() -> None:
    parts = partition([Span(Work.MATRIX, -5.0, 1.0), Span(Work.STREAM, 3.0, 99.0)], 0.0, 4.0)
    assert (parts[Work.MATRIX], parts[Work.STREAM], parts[Work.IDLE]) == (0.25, 0.25, 0.5)


def test_nothing_ran_is_idle() -> None:
    assert partition([], 0.0, 1.0)[Work.IDLE] == 1.0


@pytest.mark.parametrize("end", [1.0, 0.5, float("nan"), float("inf")])
def test_a_stretch_without_length_has_no_shares(end: float) -> None:
    with pytest.raises(ValueError, match="no stretch of time"):
        partition([Span(Work.MATRIX, 0.0, 1.0)], 1.0, end)


# ---- gaps ----------------------------------------------------------------------------------------


def test_a_gap_is_the_hosts_when_the_launch_came_after_the_kernel_before() -> None:
    us = 1e-6
    kernels = [
        Kernel("a", 0, 10 * us, launched=0),
        Kernel("late", 30 * us, 40 * us, launched=20 * us),  # the host was late
        Kernel("next", 40.02 * us, 50 * us, launched=5 * us),  # the device took a moment
        Kernel("waits", 60 * us, 70 * us, launched=6 * us),  # for something else
        Kernel("unknown", 80 * us, 90 * us),
    ]
    assert [why for why, _, _ in gaps(kernels)] == [Gap.HOST, Gap.KERNEL, Gap.OTHER, Gap.OTHER]
    assert host_spans(kernels) == (Span(Work.SEQUENTIAL, 10 * us, 30 * us),)


def test_kernels_that_overlap_leave_no_gap() -> None:
    assert gaps([Kernel("long", 0, 10), Kernel("b", 1, 2), Kernel("c", 9, 12)]) == ()
    assert gaps([]) == ()


def test_a_record_of_a_clock_put_back_makes_no_gap() -> None:
    kernels = [Kernel("a", 0.0, 1.0), Kernel("odd", 5.0, 4.0), Kernel("b", 1.0, 2.0)]
    assert gaps(kernels) == ()
    assert kernels[1].seconds == 0.0


# ---- which unit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_NNT",
        "ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_nn",
        "volta_fp16_s884gemm_fp16_128x128_ldg8_f2f_nn",
        "turing_h1688gemm_128x128_ldg8_nn",
        "sm80_xmma_gemm_f16f16_f16f32_f32_nn_n_tilesize128x64x64_stage3_tensor16x8x16_kernel",
        "cutlass_80_tensorop_f16_s16816gemm_f16_64x64_32x6_nn_align8",
        "void flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128>>",
    ],
)
def test_names_of_tensor_core_kernels_and_dispatch_agree(name: str) -> None:
    work, votes = classify(Unit.MATRIX, name, 1e9, 1e-3, PEAK)
    assert work is Work.MATRIX
    assert votes == (Work.MATRIX, Work.MATRIX, None)


@pytest.mark.parametrize(
    "name",
    [
        "ampere_sgemm_128x64_nn",
        "cutlass_80_simt_sgemm_128x256_8x4_nn_align1",
        "void gemv2T_kernel_val<int, int, float, float>",
        "cupy_multiply__float32_float32_float32",
        "void cub::DeviceReduceKernel",
    ],
)
def test_names_of_other_kernels_and_dispatch_agree(name: str) -> None:
    assert classify(Unit.STREAM, name, 1e9, 1e-3, PEAK)[0] is Work.STREAM


def test_a_product_sent_to_tensor_cores_that_a_plain_kernel_did_is_unclassified() -> None:
    work, votes = classify(Unit.MATRIX, "ampere_sgemm_128x64_nn", 1e9, 1e-3, PEAK)
    assert work is Work.UNCLASSIFIED
    assert votes == (Work.MATRIX, Work.STREAM, None)


def test_a_float32_product_that_a_tensor_kernel_did_is_unclassified() -> None:
    name = "nvjet_sss_128x128"  # float32 emulated on tensor cores, or TF32 set by somebody else
    assert classify(Unit.STREAM, name, 1e9, 1e-3, PEAK)[0] is Work.UNCLASSIFIED


def test_faster_than_the_float32_peak_is_proof_and_slower_is_none() -> None:
    fast = classify(Unit.MATRIX, "some_new_kernel", 3e9, 1e-4, PEAK)
    slow = classify(Unit.MATRIX, "some_new_kernel", 1e9, 1e-4, PEAK)
    assert fast == (Work.MATRIX, (Work.MATRIX, None, Work.MATRIX))
    assert slow == (Work.UNCLASSIFIED, (Work.MATRIX, None, None))
    assert classify(Unit.STREAM, "ampere_sgemm_128x64", 3e9, 1e-4, PEAK)[0] is Work.UNCLASSIFIED


@pytest.mark.parametrize(("peaks", "proof"), [(0.95, False), (1.04, False), (1.06, True)])
def test_what_the_boost_of_a_card_explains_proves_nothing(peaks: float, proof: bool) -> None:
    _, votes = classify(Unit.MATRIX, "some_new_kernel", peaks * PEAK * 1e-4, 1e-4, PEAK)
    assert votes.rate is (Work.MATRIX if proof else None)


def test_a_helper_inside_a_product_is_stream_work() -> None:
    for name in ("void splitKreduce_kernel<32, 16, int>", "cupy_copy__float32_float16"):
        assert classify(Unit.MATRIX, name, 3e9, 1e-6, PEAK)[0] is Work.STREAM


def test_a_kernel_of_which_nothing_is_known_is_unclassified() -> None:
    assert classify(None, "mystery", 0.0, 1e-6, 0.0) == (Work.UNCLASSIFIED, (None, None, None))
    assert classify(None, "nvjet_tst_64x8", 0.0, 0.0, PEAK)[0] is Work.UNCLASSIFIED  # one vote


def test_a_card_without_tensor_cores_runs_none_whatever_the_kernel_is_called() -> None:
    name = "turing_fp16_s1688gemm_fp16_128x128_ldg8_f2f_nn"  # as on a GTX 1660
    assert classify(Unit.MATRIX, name, 1e9, 1e-4, PEAK, tensor_cores=False)[0] is Work.STREAM
