import { duration } from "../report/number.ts";

/** Where progress goes: standard error, or what stands for it in a test. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Progress {
  /** `done` of `total` are done; the note is shown at the line's end. */
  update(done: number, note?: string): void;
  /** The work is over, or was given up: leaves the terminal's line empty. */
  finish(): void;
}

/** Milliseconds between two drawings on a terminal. */
const REDRAW = 100;
/** Elsewhere: nothing before this time, and then a line at most every tenth of the work or every so many milliseconds. */
const QUIET = 1_000;
const PERIOD = 5_000;
const TENTH = 0.1;
const BAR = 24;

/**
 * Shows how far a long piece of work has come. On a terminal one line that is drawn again: a bar, percentage, done of
 * total, rate and time left. Elsewhere (a log, a pipe) plain lines, few of them, and none for work of under a second.
 *
 * @param unit what is counted, in the plural: `samples`
 * @param from what was done before the work began, which the rate does not count
 */
export function progress(
  stream: ProgressStream,
  { total, label, unit, from = 0 }: { total: number; label: string; unit: string; from?: number },
): Progress {
  const start = performance.now();
  const terminal = stream.isTTY === true;
  let latest = 0;
  let shownAt = terminal ? -Infinity : start;
  let shownDone = from;
  let shown = false;

  const status = (elapsed: number) => {
    const seconds = elapsed / 1000;
    const parts = [`${latest}/${total} ${unit}`];
    if (latest > from && seconds > 0) {
      parts.push(`${rate((latest - from) / seconds)} ${unit}/s`);
      if (latest < total) parts.push(`${duration((seconds * (total - latest)) / (latest - from))} left`);
    }
    return parts.join(", ");
  };

  return {
    update(done, note) {
      latest = done;
      const now = performance.now();
      const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
      const percent = `${Math.floor(100 * share)} %`;
      const text = `${status(now - start)}${note === undefined ? "" : `, ${note}`}`;
      if (terminal) {
        if (now - shownAt < REDRAW) return;
        const filled = Math.round(BAR * share);
        const bar = "█".repeat(filled) + "░".repeat(BAR - filled);
        const line = `${label} ${bar} ${percent.padStart(5)}  ${text}`;
        // A line as wide as the terminal would wrap, and then could not be drawn again.
        stream.write(`\r${line.slice(0, Math.max(1, (stream.columns || 80) - 1))}\u001b[K`);
      } else {
        if (now - start < QUIET) return;
        const further = total > 0 && (done - shownDone) / total >= TENTH - 1e-9;
        if (!further && now - shownAt < PERIOD) return;
        stream.write(`${label}: ${percent}, ${text}\n`);
      }
      shown = true;
      shownAt = now;
      shownDone = done;
    },
    finish() {
      if (!shown) return;
      if (terminal) stream.write("\r\u001b[K");
      else if (shownDone !== latest) {
        const percent = total > 0 ? Math.floor((100 * Math.min(latest, total)) / total) : 100;
        stream.write(`${label}: ${percent} %, ${status(performance.now() - start)}\n`);
      }
      shown = false;
    },
  };
}

export interface DownloadProgress {
  /** `done` of `total` bytes of a file are there. */
  update(file: string, done: number, total: number): void;
  finish(): void;
}

/** Shows downloads one after the other, each as {@link progress} does. */
export function downloadProgress(stream: ProgressStream): DownloadProgress {
  let shown: { readonly file: string; readonly bar: Progress } | undefined;
  return {
    update(file, done, total) {
      if (shown?.file !== file) {
        shown?.bar.finish();
        const work = { total: megabytes(total), from: megabytes(done), label: `fetching ${file}`, unit: "MB" };
        shown = { file, bar: progress(stream, work) };
      }
      shown.bar.update(megabytes(done));
    },
    finish() {
      shown?.bar.finish();
      shown = undefined;
    },
  };
}

function megabytes(bytes: number): number {
  return Number((bytes / 1e6).toFixed(1));
}

/** A rate in three digits, without an exponent. */
function rate(perSecond: number): string {
  return perSecond >= 100 ? String(Math.round(perSecond)) : String(Number(perSecond.toPrecision(3)));
}
