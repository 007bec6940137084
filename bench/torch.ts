import { LineProcess } from "./line-process.ts";
import { mean } from "./row.ts";

/** A malloc that keeps what it has: PyTorch's own default returns large blocks to the system after every step. */
const MALLOC = {
  MALLOC_MMAP_THRESHOLD_: "4294967296",
  MALLOC_TRIM_THRESHOLD_: "4294967296",
  MALLOC_TOP_PAD_: "268435456",
  OMP_NUM_THREADS: "1",
};

/** Debian's PyTorch on one thread, which trains as bench/torch_training.py has it; undefined where it is not installed. */
export async function startTorch(name: string) {
  const torch = await LineProcess.start("/usr/bin/python3", ["bench/torch_training.py"], MALLOC);
  return (
    torch && {
      /** Mean seconds of some runs of the case. */
      seconds: async (times: number) => mean((await torch.ask(`${name} ${times}`)) as number[]),
      stop: () => torch.stop(),
    }
  );
}
