/**
 * How an axis places values of very different size. `log` is for positive values, `symlog` for both signs:
 * x ↦ sign(x)·ln(1 + |x|/constant), linear below the constant and logarithmic above it.
 */
export type Scale =
  | { readonly type: "linear" }
  | { readonly type: "log" }
  | { readonly type: "symlog"; readonly constant: number };

/** Three decades: with more, a linear axis shows one bar. */
const SPAN = 1e3;
/** Both signs: with the largest value further from the typical one than this, a linear axis shows one bar. */
const TAIL = 1e2;

/**
 * The scale for finite values: logarithmic where they span more than three decades and none is negative (zeros have no
 * place on it), signed logarithmic where some are negative and the largest is over a hundred times the median size.
 */
export function chooseScale(values: ArrayLike<number>): Scale {
  const sizes = Array.from(values, Math.abs)
    .filter((size) => size > 0 && Number.isFinite(size))
    .sort((a, b) => a - b);
  if (sizes.length === 0) return { type: "linear" };
  const smallest = sizes[0]!;
  const largest = sizes[sizes.length - 1]!;
  const median = sizes[sizes.length >> 1]!;
  if (Array.from(values).some((value) => value < 0)) {
    return largest > TAIL * median ? { type: "symlog", constant: decade(median) } : { type: "linear" };
  }
  return largest > SPAN * smallest ? { type: "log" } : { type: "linear" };
}

/** The coordinate in which bins on this scale are equally wide, and its inverse. */
export function coordinate(scale: Scale): { to(value: number): number; from(place: number): number } {
  if (scale.type === "log") return { to: Math.log10, from: (place) => 10 ** place };
  if (scale.type === "linear") return { to: (value) => value, from: (place) => place };
  const { constant } = scale;
  return {
    to: (value) => (Math.sign(value) * Math.log1p(Math.abs(value) / constant)) / Math.LN10,
    from: (place) => Math.sign(place) * constant * Math.expm1(Math.abs(place) * Math.LN10),
  };
}

/** Vega's axis of this scale between two values: powers of ten, thinned to about eight, written 10⁻³. */
export function axisOf(scale: Scale, low: number, high: number): Record<string, unknown> {
  if (scale.type === "linear") return { tickCount: 7 };
  const first = scale.type === "log" ? low : scale.constant;
  const last = Math.max(Math.abs(low), Math.abs(high));
  const from = Math.ceil(Math.log10(first) - 1e-9);
  const to = Math.floor(Math.log10(last) + 1e-9);
  // Fewer than two powers of ten say little: Vega's own ticks do better then.
  if (to - from < 1) return {};
  const step = Math.ceil((to - from) / (scale.type === "log" ? 8 : 4));
  const powers: number[] = [];
  for (let power = from; power <= to; power += step) powers.push(power);
  const ticks = powers.map((power): [number, string] => [Number(`1e${power}`), powerText(power)]);
  if (scale.type === "symlog") {
    const negative = ticks.map(([value, text]): [number, string] => [-value, `−${text}`]);
    ticks.unshift(...negative.reverse(), [0, "0"]);
  }
  const shown = ticks.filter(([value]) => value >= low && value <= high);
  const texts = Object.fromEntries(shown.map(([value, text]) => [String(value), text]));
  return { values: shown.map(([value]) => value), labelExpr: `(${JSON.stringify(texts)})[datum.value]` };
}

/** A step of 1, 2 or 5 times a power of ten, the first not under the wanted one. */
export function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= wanted * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function decade(value: number): number {
  return 10 ** Math.round(Math.log10(value));
}

function powerText(power: number): string {
  if (power === 0) return "1";
  if (power === 1) return "10";
  const raised = [...String(power)].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]));
  return `10${raised.join("")}`;
}
