import { readFileSync } from "node:fs";

/** Bytes of the largest memory that this process has had. A process's own maxRSS begins with that of the one that started it. */
export function peakMemory() {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(kilobytes) * 1024;
}
