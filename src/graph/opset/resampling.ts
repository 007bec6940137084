import { ModelError } from "../../errors.ts";
import type { Attributes, Node } from "../graph.ts";
import { describe, string } from "../graph.ts";
import { Tensor } from "../tensor.ts";
import type { Rewriting } from "./rewriting.ts";
import { revise, text, without } from "./rewriting.ts";

/** Upsample went in 10. Its scales are an attribute before 9, then an input. */
export function upsample(node: Node, rewriting: Rewriting): Node {
  const [data = "", given] = node.inputs;
  const { scales: list } = node.attributes;
  const tensor = list?.kind === "floats" ? Tensor.float32([list.value.length], list.value) : undefined;
  const scales = tensor ? rewriting.constant(node, "scales", tensor) : (given ?? "");
  return resizeScales({ ...node, inputs: [data, scales], attributes: without(node, "scales") }, rewriting);
}

/** Before 11 a coordinate is x / scale, and there is no region of interest. */
export function resizeScales(node: Node, rewriting: Rewriting): Node {
  const [data = "", scales = ""] = node.inputs;
  const modes = { coordinate_transformation_mode: text("asymmetric"), ...rounding(node, rewriting) };
  const attributes = { ...node.attributes, ...modes };
  return revise(node, { op: "Resize", inputs: [data, "", scales], attributes });
}

/**
 * How the nearest element is found before 11, which only the conformance tests say: the one before when the
 * tensor grows, the one after when it shrinks. Scales that are not constant come from exporters' upsampling.
 */
function rounding(node: Node, rewriting: Rewriting): Attributes {
  if (string(node, "mode", "nearest") !== "nearest") return {};
  const scales = [...(rewriting.constants.get(node.inputs[1] ?? "")?.numbers() ?? [])];
  const shrinks = scales.some((scale) => scale < 1);
  if (shrinks && scales.some((scale) => scale > 1)) {
    throw new ModelError(
      `${describe(node)}: one axis grows and another shrinks (scales ${scales.join(", ")}), ` +
        "which mode nearest cannot say since opset 11: export the model with opset 11 or later",
    );
  }
  return { nearest_mode: text(shrinks ? "ceil" : "floor") };
}

/** Before 13 inputs that do not apply are empty tensors; since then they are absent. */
export function resizeOptionals(node: Node, rewriting: Rewriting): Node {
  const inputs = node.inputs.map((input, index) => {
    return index > 0 && rewriting.constants.get(input)?.size === 0 ? "" : input;
  });
  return inputs.every((input, index) => input === node.inputs[index]) ? node : revise(node, { inputs });
}

export function resizeMode(node: Node, { opset }: Rewriting): Node {
  const mode = string(node, "coordinate_transformation_mode", "half_pixel");
  if (mode !== "half_pixel_symmetric") return node;
  throw new ModelError(
    `${describe(node)}: coordinate_transformation_mode ${mode} of opset ${opset} is not supported: ` +
      "export the model with opset 18 or with mode half_pixel",
  );
}

/** In 20 the modes lost their "bi". */
export function gridSample(node: Node): Node {
  const modes: Record<string, string> = { linear: "bilinear", cubic: "bicubic" };
  const mode = modes[string(node, "mode", "")];
  return mode ? revise(node, { attributes: { ...node.attributes, mode: text(mode) } }) : node;
}

/** Before 16 regions were not shifted by half a pixel; since then that is a mode, and not the default. */
export function roiAlign(node: Node): Node {
  const shift = { coordinate_transformation_mode: text("output_half_pixel") };
  return revise(node, { attributes: { ...node.attributes, ...shift } });
}
