"""The page for users of neural-tangents runs, and leaves out none of its public functions."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from-neural-tangents.md").read_text(encoding="utf-8")

# dir() of neural_tangents 0.6.5, its stax and its predict, less modules.
PUBLIC = """
Kernel NtkImplementation batch empirical_kernel_fn empirical_nngp_fn empirical_ntk_fn empirical_ntk_vp_fn experimental
linearize monte_carlo_kernel_fn taylor_expand
ABRelu Abs Aggregate AggregateImplementation AttentionMechanism AvgPool Bool Conv ConvLocal ConvTranspose Cos Dense Diagonal
DotGeneral Dropout Elementwise ElementwiseNumerical Erf Exp ExpNormalized FanInConcat FanInProd FanInSum FanOut Flatten Gabor
Gaussian Gelu GlobalAvgPool GlobalSelfAttention GlobalSumPool Hermite Identity ImageResize Index LayerNorm LeakyRelu
MaskedArray Monomial Padding Polynomial PositionalEmbedding Rbf RectifiedMonomial Relu Sigmoid_like Sign Sin Slice SumPool
layer parallel repeat requires serial supports_masking unmask_fn
ODEState gp_inference gradient_descent gradient_descent_mse gradient_descent_mse_ensemble max_learning_rate
""".split()


def test_its_blocks_run():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 7
    names: dict = {}
    for block in blocks:
        exec(compile(block, "coming-from-neural-tangents.md", "exec"), names)


def test_every_public_function_has_a_row():
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert [name for name in PUBLIC if f"`{name}`" not in rows] == []
