import { elementwiseShapes } from "./elementwise.ts";
import { linearShapes } from "./linear.ts";
import { movementShapes } from "./movement.ts";
import { normalizationShapes } from "./normalization.ts";
import { poolingShapes } from "./pooling.ts";
import { reductionShapes } from "./reduction.ts";
import type { ShapeRule } from "./shape-rule.ts";

/** Every operator whose output shapes we can tell, a family a file. */
export const shapeRules: Readonly<Record<string, ShapeRule>> = {
  ...linearShapes,
  ...poolingShapes,
  ...elementwiseShapes,
  ...normalizationShapes,
  ...movementShapes,
  ...reductionShapes,
};
