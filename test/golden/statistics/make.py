"""Writes statistics.json: scipy's values for fixed inputs. Run with Debian's python3-scipy: python3 make.py"""
import json, platform
import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(20211)


def case(x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "ranks": stats.rankdata(x).tolist(),
        "pearson": float(stats.pearsonr(x, y)[0]),
        "spearman": float(stats.spearmanr(x, y)[0]),
        "kendall": float(stats.kendalltau(x, y)[0]),
    }


def linear(n, slope):
    x = rng.normal(size=n)
    return case(x, slope * x + rng.normal(size=n))


cases = {
    "five": case([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]),
    "ties": case([1, 1, 2, 2, 3, 3, 3, 4], [2, 2, 1, 3, 3, 5, 4, 4]),
    "many ties": case(rng.integers(0, 4, 200), rng.integers(0, 3, 200)),
    "independent": linear(110, 0.0),
    "weak": linear(110, 0.3),
    "strong": linear(1000, -2.0),
    "heavy tails": case(np.exp(3 * rng.normal(size=60)), rng.standard_cauchy(60)),
    "far from zero": case(1e8 + rng.normal(size=40), -1e8 + rng.normal(size=40)),
}

# Partial correlation: residuals of a least-squares fit, by numpy.linalg.lstsq.
n = 80
z, w = rng.normal(size=n), rng.normal(size=n)
group = rng.integers(0, 3, n)
x = z + 0.5 * w + group + rng.normal(size=n)
y = -z + 0.2 * w - group + 0.4 * x + rng.normal(size=n)


def residuals(v, columns):
    design = np.column_stack([np.ones(len(v)), *columns])
    return v - design @ np.linalg.lstsq(design, v, rcond=None)[0]


def partial(x, y, columns):
    return float(stats.pearsonr(residuals(x, columns), residuals(y, columns))[0])


dummies = [(group == k).astype(float) for k in (0, 1)]
rank = stats.rankdata
partials = {
    "x": x.tolist(), "y": y.tolist(), "z": z.tolist(), "w": w.tolist(), "group": [f"g{k}" for k in group],
    "pearson given z": partial(x, y, [z]),
    "pearson given z, w": partial(x, y, [z, w]),
    "pearson given z, group": partial(x, y, [z, *dummies]),
    "spearman given z": partial(rank(x), rank(y), [rank(z)]),
    "spearman given z, w, group": partial(rank(x), rank(y), [rank(z), rank(w), *dummies]),
}

# BCa interval and permutation p value with so many resamples that two programs' generators agree to a few 1e-3.
bx = np.asarray(cases["weak"]["x"])[:40]
by = np.asarray(cases["weak"]["y"])[:40]


def statistic(function):
    return lambda a, b: function(a, b)[0]


boot = stats.bootstrap((bx, by), statistic(stats.pearsonr), paired=True, vectorized=False, n_resamples=20000,
                       method="BCa", random_state=np.random.default_rng(1)).confidence_interval
perm = stats.permutation_test((by,), lambda b: stats.pearsonr(bx, b)[0], permutation_type="pairings",
                              n_resamples=20000, vectorized=False, random_state=np.random.default_rng(1))
resampling = {"x": bx.tolist(), "y": by.tolist(), "pearson BCa": [float(boot.low), float(boot.high)],
              "pearson permutation p": float(perm.pvalue)}


def benjamini_hochberg(p):
    p = np.asarray(p)
    order = np.argsort(p)
    q = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    out = np.empty_like(q)
    out[order] = np.minimum(q, 1)
    return out.tolist()


p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34, 0.341,
     0.384, 0.569, 0.594, 0.696, 0.762, 0.94, 0.942, 0.975, 0.986, 0.008]
control = getattr(stats, "false_discovery_control", None)
discovery = {"p": p, "adjusted": list(control(p)) if control else benjamini_hochberg(p),
             "by": "scipy.stats.false_discovery_control" if control else "numpy"}

zs = [-37.0, -8.0, -3.5, -3.0, -2.999, -1.0, -1e-3, 0.0, 0.5, 1.96, 2.9999, 3.0001, 6.0]
ps = [1e-12, 1e-6, 0.001, 0.025, 0.3, 0.5, 0.75, 0.975, 0.999999]
normal = {"z": zs, "cdf": stats.norm.cdf(zs).tolist(), "p": ps, "quantile": stats.norm.ppf(ps).tolist()}
quantiles = {"values": bx.tolist(), "p": ps, "quantile": np.quantile(bx, ps).tolist()}

versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
with open("statistics.json", "w") as file:
    json.dump({"versions": versions, "cases": cases, "partial": partials, "resampling": resampling,
               "discovery": discovery, "normal": normal, "quantiles": quantiles}, file)
    file.write("\n")
