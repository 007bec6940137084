/** Something that the user can mend: printed as one sentence, without a stack, exit code 2. */
export class FlatnessError extends Error {
  override name = "FlatnessError";
}

/** The model file is absent, damaged, or cannot be what it says. */
export class ModelError extends FlatnessError {
  override name = "ModelError";
}

/** The data is absent, damaged, or does not fit the model. */
export class DataError extends FlatnessError {
  override name = "DataError";
}

/** An option, a layer's or a measure's name that cannot be used. */
export class UsageError extends FlatnessError {
  override name = "UsageError";
}

/** A derivative was asked for through an operator that has no rule. */
export class UnsupportedOperatorError extends FlatnessError {
  override name = "UnsupportedOperatorError";
}
