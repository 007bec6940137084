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

/** Something cannot be fetched: no network, no such file there, no permission, or other bytes than were promised. */
export class DownloadError extends FlatnessError {
  override name = "DownloadError";
}

/** The user interrupted; the message says what was kept. */
export class Interruption extends Error {
  override name = "AbortError";
}

/** An option, a layer's or a measure's name that cannot be used. */
export class UsageError extends FlatnessError {
  override name = "UsageError";
}

/** A derivative was asked for through an operator that has no rule. */
export class UnsupportedOperatorError extends FlatnessError {
  override name = "UnsupportedOperatorError";
}

/** Training left the finite numbers, or its loss grew beyond all bounds. Exit code 3. */
export class DivergenceError extends FlatnessError {
  override name = "DivergenceError";
}
