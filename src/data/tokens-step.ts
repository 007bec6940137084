import { UsageError } from "../errors.ts";
import type { Step } from "./preprocess-steps.ts";

/**
 * The step that makes a language model's samples of a stream of tokens. It says what the samples are, and not what is done
 * to one: the format of token files reads it before there are any (`token-format.ts`), and no sample may meet it.
 */
export const tokensStep: Step = {
  form: "tokens[=T]",
  description:
    "alone, on whole numbers in a .bin, .npy or .npz file: x is T tokens, y the T that follow one place on, the next " +
    "sample begins where x ends; of an array [n, T+1] each row is a sample where T is left out; .bin files are uint16 " +
    "(nanoGPT) unless it is tokens=T:uint32, or llm.c's header says so",
  apply({ where, field, dims }) {
    throw new UsageError(
      `${where}: expected tokens, whole numbers in a .bin, .npy or .npz file, and no other step; ` +
        `here samples of ${field.name} have dims [${dims.join(", ")}].`,
    );
  },
};
