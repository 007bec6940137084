import type { Recipe } from "../recipe.ts";
import { lenet5 } from "./lenet5.ts";
import { gptTiny } from "./gpt-tiny.ts";
import { mlp } from "./mlp.ts";
import type { Model, Signature } from "./network.ts";
import { resnetSmall } from "./resnet-small.ts";
import { vitTiny } from "./vit-tiny.ts";

export type BuiltIn = Exclude<Recipe["model"], { name: "onnx" }>;

/** The model of a recipe for this data, its weights zero. */
export function builtIn(signature: Signature, settings: BuiltIn): Model {
  switch (settings.name) {
    case "mlp":
      return mlp(signature, settings);
    case "lenet5":
      return lenet5(signature);
    case "resnet-small":
      return resnetSmall(signature, settings);
    case "vit-tiny":
      return vitTiny(signature, settings);
    case "gpt-tiny":
      return gptTiny(signature, settings);
  }
}
