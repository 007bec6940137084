import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { downloadProgress, progress } from "../../src/cli/progress.ts";

class Recorder {
  readonly written: string[] = [];
  readonly isTTY: boolean;
  readonly columns: number;
  constructor(isTTY: boolean, columns = 100) {
    this.isTTY = isTTY;
    this.columns = columns;
  }
  write(text: string): void {
    this.written.push(text);
  }
}

const work = { total: 1000, label: "measuring", unit: "samples" };

/** Does `total` units in `milliseconds`, in steps. */
function run(stream: Recorder, total: number, milliseconds: number, steps: number): void {
  const shown = progress(stream, { ...work, total });
  for (let step = 1; step <= steps; step++) {
    vi.advanceTimersByTime(milliseconds / steps);
    shown.update((total * step) / steps);
  }
  shown.finish();
}

/** What stands on the line: without the return before it and the erasure after it, which it must have. */
function bare(text: string): string {
  expect(text.startsWith("\r") && text.endsWith("\u001b[K")).toBe(true);
  return text.slice(1, -3);
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

describe("away from a terminal", () => {
  test("work of under a second says nothing", () => {
    const stream = new Recorder(false);
    run(stream, 1000, 990, 99);
    expect(stream.written).toEqual([]);
  });

  test("a line each tenth of the work, without codes, the last at its end", () => {
    const stream = new Recorder(false);
    run(stream, 1000, 20_000, 100);
    expect(stream.written).toHaveLength(10);
    expect(stream.written[0]).toBe("measuring: 10 %, 100/1000 samples, 50 samples/s, 18 s left\n");
    expect(stream.written[9]).toBe("measuring: 100 %, 1000/1000 samples, 50 samples/s\n");
  });

  test("slow work says something every five seconds, and where it stopped", () => {
    const stream = new Recorder(false);
    const shown = progress(stream, work);
    for (let second = 1; second <= 12; second++) {
      vi.advanceTimersByTime(1000);
      shown.update(second, "fc1");
    }
    shown.finish();
    expect(stream.written).toEqual([
      "measuring: 0 %, 5/1000 samples, 1 samples/s, 16 min 35 s left, fc1\n",
      "measuring: 1 %, 10/1000 samples, 1 samples/s, 16 min 30 s left, fc1\n",
      "measuring: 1 %, 12/1000 samples, 1 samples/s, 16 min 28 s left\n",
    ]);
  });
});

describe("downloads", () => {
  test("are shown a file at a time, in megabytes; what was there before is not in the rate", () => {
    const stream = new Recorder(false);
    const shown = downloadProgress(stream);
    shown.update("a.bin", 60_000_000, 100_000_000);
    vi.advanceTimersByTime(2000);
    shown.update("a.bin", 80_000_000, 100_000_000);
    vi.advanceTimersByTime(2000);
    shown.update("a.bin", 100_000_000, 100_000_000);
    shown.update("b.bin", 1_000_000, 40_000_000);
    vi.advanceTimersByTime(1500);
    shown.update("b.bin", 16_049_999, 40_000_000);
    shown.finish();
    expect(stream.written).toEqual([
      "fetching a.bin: 80 %, 80/100 MB, 10 MB/s, 2.0 s left\n",
      "fetching a.bin: 100 %, 100/100 MB, 10 MB/s\n",
      "fetching b.bin: 40 %, 16/40 MB, 10 MB/s, 2.4 s left\n",
    ]);
  });

  test("leave the terminal's line empty", () => {
    const stream = new Recorder(true);
    const shown = downloadProgress(stream);
    shown.update("a.bin", 0, 2_500_000);
    shown.finish();
    expect(stream.written).toEqual(["\rfetching a.bin ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0/2.5 MB\u001b[K", "\r\u001b[K"]);
  });
});

describe("on a terminal", () => {
  test("one line is drawn again, at most ten times a second, and removed", () => {
    const stream = new Recorder(true);
    run(stream, 1000, 2000, 1000);
    expect(stream.written.length).toBeLessThanOrEqual(22);
    expect(stream.written.length).toBeGreaterThan(15);
    for (const text of stream.written) expect(bare(text)).not.toMatch(/[\r\n]/);
    expect(stream.written.at(-1)).toBe("\r\u001b[K");
  });

  test("the line, by hand", () => {
    const stream = new Recorder(true);
    const shown = progress(stream, work);
    vi.advanceTimersByTime(500);
    shown.update(250, "fc1");
    expect(stream.written).toEqual([
      "\rmeasuring ██████░░░░░░░░░░░░░░░░░░  25 %  250/1000 samples, 500 samples/s, 1.5 s left, fc1\u001b[K",
    ]);
  });

  test("is cut to the terminal's width, one column left free", () => {
    const stream = new Recorder(true, 30);
    progress(stream, work).update(500, "x".repeat(100));
    expect(bare(stream.written[0]!)).toHaveLength(29);
  });
});

test("no work, and more work than was expected, are no trouble", () => {
  for (const isTTY of [true, false]) {
    const stream = new Recorder(isTTY, 200);
    for (const total of [0, 10]) {
      const shown = progress(stream, { ...work, total });
      vi.advanceTimersByTime(7000);
      shown.update(20);
      shown.finish();
    }
    expect(stream.written.join("")).not.toMatch(/NaN|Infinity|-\d/);
    expect(stream.written.join("")).toContain("100 %");
  }
});
