import { describe, expect, test } from "vitest";
import { curvatureByDifferences, curvatureByJacobian, isAffineIn, losses64 } from "../float64-curvature.ts";
import { maximumError } from "../float64-array.ts";
import { measureSketch, targetsOf } from "../sketch-data.ts";
import { samplesOf } from "../golden-model.ts";
import { tinyNetworks } from "../tiny-networks.ts";

describe.each(Object.entries(tinyNetworks))("%s", (_, make) => {
  const net = make();
  for (const loss of losses64) {
    test(loss.name, async () => {
      const measured = await measureSketch(net, loss.name, { batch: 2, perSample: true });
      for (const layer of net.layers) {
        const samples = [0, 1, 2];
        const t0 = performance.now();
        const exact = samples.map((i) => curvatureByJacobian(net, layer, loss, i));
        const t1 = performance.now();
        const fd = loss.name == "cross-entropy" ? [0].map((i) => curvatureByDifferences(net, layer, loss, i, targetsOf(net, loss.name, i))) : [];
        const t2 = performance.now();
        const k = [...samplesOf(measured, layer.name, "relative-flatness")], t = [...samplesOf(measured, layer.name, "hessian-trace")];
        const info = measured.result.layers.find((l) => l.name === layer.name);
        const me = measured.result.results.find((l) => l.layer === layer.name)?.method;
        console.log(layer.name, loss.name, me, isAffineIn(net, layer), info?.positions, "k", maximumError(k, exact.map((e) => e.kappa)).toExponential(1), "tr", maximumError(t, exact.map((e) => e.trace)).toExponential(1),
          "fd", fd.length && maximumError(fd.map(e => e.kappa), [exact[0]!.kappa]).toExponential(1), fd.length && maximumError(fd.map(e => e.trace), [exact[0]!.trace]).toExponential(1), "ms", (t1 - t0).toFixed(0), (t2 - t1).toFixed(0));
      }
    });
  }
});
