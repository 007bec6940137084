import type { MeasureOptions } from "./options.ts";

/** Samples done, over passes one after the other. */
export interface PassProgress {
  /** All samples of all passes together. */
  expect(total: number): void;
  /** Within a pass. */
  readonly onBatch: (done: number) => void;
  /** A pass over so many samples is over. */
  next(samples: number): void;
  /** What goes on after the passes whose number is known. */
  note(text: string): void;
}

export function progressOf({ onProgress }: MeasureOptions): PassProgress {
  let [before, total] = [0, 0];
  return {
    expect(all) {
      total = all;
    },
    onBatch: (done) => total > 0 && onProgress?.(before + done, total),
    next(samples) {
      before += samples;
    },
    note: (text) => total > 0 && onProgress?.(total, total, text),
  };
}
