/**
 * A value and its standard error as text, ended at the same decimal place.
 * With an exponent e, both are mantissas: (value ± error)·10^e.
 */
export interface Rounded {
  readonly value: string;
  /** null where there is no error to state. */
  readonly error: string | null;
  readonly exponent: number;
}

/** From here on, and below the other, numbers are written with an exponent. */
const LARGE = 1e5;
const SMALL = 1e-3;

/**
 * Rounds to four significant digits of the value or two of the error, whichever reaches further, and to two of the error
 * alone where it is the larger; an error below a millionth of the value keeps its own exponent instead of adding digits.
 */
export function rounded(value: number, standardError: number | null = null): Rounded {
  if (standardError === null || !Number.isFinite(value) || !Number.isFinite(standardError)) {
    return { ...alone(value), error: standardError === null ? null : join(alone(standardError)) };
  }
  const size = Math.max(Math.abs(value), standardError);
  if (standardError > 0 && standardError < 1e-6 * size) {
    const shown = alone(value);
    const unscaled = standardError / 10 ** shown.exponent;
    return { ...shown, error: unscaled.toExponential(1) };
  }
  const exponent = size !== 0 && (size >= LARGE || size < SMALL) ? power(size, 3) : 0;
  const scale = 10 ** -exponent;
  const forError = standardError > 0 ? 1 - power(standardError * scale, 1) : 0;
  const forValue = value !== 0 && Math.abs(value) >= standardError ? 3 - power(value * scale, 3) : 0;
  const decimals = Math.max(0, forValue, forError);
  return {
    value: fixed(value * scale, decimals),
    error: standardError === 0 ? "0" : fixed(standardError * scale, decimals),
    exponent,
  };
}

/** `31.42 ± 1.90`, `(3.142 ± 0.190)e+7`, or the value alone. */
export function withError(value: number, standardError: number | null = null): string {
  const parts = rounded(value, standardError);
  if (parts.error === null) return join(parts);
  const sum = `${parts.value} ± ${parts.error}`;
  return parts.exponent === 0 ? sum : `(${sum})${suffix(parts.exponent)}`;
}

/** Four significant digits of a number without an error. */
export function significant(value: number): string {
  return join(alone(value));
}

/** A number that was given and not measured, to four significant digits at most: `0.3`. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A share as a percentage with two decimals. */
export function percentage(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** A span of time in the two largest units that matter: `318 ms`, `5.3 s`, `2 min 5 s`, `1 h 12 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 0.9995) return `${Math.round(1000 * Math.max(0, seconds))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The exponent that a number has once it is rounded to `digits` + 1 significant digits: 9.9999 has 1, not 0. */
function power(value: number, digits: number): number {
  return value === 0 ? 0 : Number(value.toExponential(digits).split("e")[1]);
}

function alone(value: number): Rounded {
  if (!Number.isFinite(value)) return { value: String(value ?? NaN), error: null, exponent: 0 };
  const size = Math.abs(value);
  if (size === 0) return { value: "0", error: null, exponent: 0 };
  const own = power(value, 3);
  const exponent = size >= LARGE || size < SMALL ? own : 0;
  const decimals = Math.max(0, 3 - own + exponent);
  return { value: fixed(value / 10 ** exponent, decimals), error: null, exponent };
}

function join(parts: Rounded): string {
  return parts.exponent === 0 ? parts.value : parts.value + suffix(parts.exponent);
}

function suffix(exponent: number): string {
  return `e${exponent < 0 ? "" : "+"}${exponent}`;
}

/** As toFixed, without a minus sign before a zero. */
function fixed(value: number, decimals: number): string {
  const text = value.toFixed(Math.min(100, decimals));
  return Number(text) === 0 ? text.replace("-", "") : text;
}
