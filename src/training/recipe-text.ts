import { z } from "zod";
import { checkedValue, readDocument } from "../yaml-document.ts";
import { type Recipe, type RecipeInput, recipeSchema } from "./recipe.ts";

/**
 * A recipe with its defaults.
 *
 * @throws UsageError naming the key that is wrong, what was expected there and what came
 */
export function resolved(input: RecipeInput, file = "recipe"): Recipe {
  return checkedValue(input, file, recipeSchema);
}

/**
 * Reads a recipe from YAML, or JSON, which is YAML too.
 *
 * @param file what messages call it
 * @throws UsageError with the line and column of what is wrong
 */
export function parseRecipe(text: string, file: string): Recipe {
  return readDocument(text, file, recipeSchema);
}

/** The JSON Schema of recipes, for editors. */
export function recipeJsonSchema(): object {
  return z.toJSONSchema(recipeSchema, { io: "input" });
}
