import type { Layer } from "../graph/layers.ts";
import { lastLayerForm, unitRows, weightRows } from "../calculus/last-layer.ts";
import type { Plan, Refusal, Shared, Task } from "./measure.ts";

/** Above this predicted cost, in forward passes, `auto` estimates. */
const LARGEST_EXACT_COST = 32;

/** Which of a layer's two quadratic forms is asked for. */
type Form = "weighted" | "trace";

/**
 * How the Hessian of one layer is had, and the per-sample value of a form of it: Tr over W Wᵀ (relative flatness) or over
 * the identity (trace). The one place where a method is chosen.
 *
 * @param factor multiplies the per-sample value
 */
export function planCurvature(layer: Layer, task: Task, form: Form, factor = 1): Plan | Refusal {
  const above = task.above(layer);
  const scaled = (emit: (shared: Shared) => string) => (shared: Shared) => {
    const value = emit(shared);
    return factor === 1 ? value : shared.b.add("Mul", [value, shared.b.scalar(factor)]);
  };
  const shared = { kind: "per-sample" as const, layer, curvature: task.curvature };
  switch (above.kind) {
    case "disconnected":
      return refuse("the outputs do not depend on it");
    case "mixed-samples":
      return refuse(
        above.dims
          ? `value ${above.value} of shape [${above.dims.join(", ")}] does not have the samples as its first axis`
          : `the shape of ${above.value} is unknown, as an operator before it has no shape rule`,
      );
    case "unsupported":
      return refuse(`no derivative rule for operator ${above.op} of node ${above.node} above it`);
    case "logits": {
      const rows = form === "weighted" ? weightRows(layer) : unitRows(layer.d);
      return {
        ...shared,
        method: "closed-form",
        emit: scaled(({ b, loss, outputs }) => lastLayerForm(b, layer, loss, outputs, rows)),
      };
    }
    case "smooth":
    case "reused":
      if (task.curvature === "hessian") {
        const why =
          above.kind === "smooth"
            ? `operator ${above.op} of node ${above.node} above it is smooth`
            : `node ${above.node} applies the same weight again to what comes of it`;
        return refuse(
          `${why}, so that its Hessian is not the Gauss-Newton matrix; --curvature gauss-newton measures the latter`,
        );
      }
  }
  const columns = chosenColumns(task);
  const method = columns === "exact" ? "gauss-newton-exact" : "gauss-newton-probes";
  return { ...shared, method, columns, emit: scaled((pass) => pass.gaussNewton(layer, columns)[form]()) };
}

/** Exact columns, unless an estimate is asked for or `auto` finds them too dear; never an estimate that saves nothing. */
function chosenColumns({ loss, method, exactCost, b, outputs }: Task): "exact" | "estimated" {
  const classes = b.dims(outputs)[1] as number;
  if (loss.estimatedCount(classes) >= loss.columnCount(classes)) return "exact";
  if (method === "probes") return "estimated";
  return method === "auto" && exactCost > LARGEST_EXACT_COST ? "estimated" : "exact";
}

function refuse(reason: string): Refusal {
  return { kind: "refusal", reason };
}
