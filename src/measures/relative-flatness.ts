import { planCurvature } from "./layer-curvature.ts";
import type { Measure } from "./measure.ts";

/**
 * Relative flatness, κ(W) = Σ_{s,s'} ⟨w_s, w_s'⟩ · Tr(H_{s,s'}), with H_{s,s'} the m×m block of the empirical risk's Hessian
 * for the rows s, s' of W (Petzka et al. 2021, Definition 3, eq. 9). Small is flat; it has the unit of the loss.
 *
 * Per sample κ_i = Σ_{t,t'} ⟨φ_t, φ_t'⟩ Tr(Wᵀ G^{tt'} W) over the positions t that share W, where G = ∂²ℓ/∂z∂z.
 * For grouped convolutions it is the sum over the groups. Divided by m only where `perFeature` asks for it.
 */
export const relativeFlatness: Measure = {
  name: "relative-flatness",
  symbol: "κ",
  title: "relative flatness",
  equation: "κ = Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_{s,s'})",
  source: "Petzka et al. 2021, Definition 3 (eq. 9)",
  scope: "layer",
  needs: ["derivative rules"],
  exactness: "exact or estimated",
  cost: "passes",
  invariances: ["layer-wise rescaling", "neuron-wise rescaling of its outputs", "softmax shift (last layer)"],
  plan(layer, task) {
    if (!task.perFeature) return planCurvature(layer, task, "weighted");
    const plan = planCurvature(layer, task, "weighted", 1 / layer.m);
    return plan.kind === "refusal" ? plan : { ...plan, options: { perFeature: true } };
  },
};
