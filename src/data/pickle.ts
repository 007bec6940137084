import { instructions } from "./pickle-instructions.ts";
import { PickleMachine } from "./pickle-machine.ts";

/** What the functions of a {@link PickleGlobal} may do. */
export interface PickleContext {
  /** Throws the DataError "file: byte N: what". */
  fail(what: string): never;
  /** To be called before bytes are allocated: fails when the file has asked for more than four times its length. */
  spend(bytes: number): void;
  /** The value as a dictionary's key: bytes become text. */
  key(value: unknown): unknown;
}

/** What stands for a Python class or function: pure functions that build plain values. */
export interface PickleGlobal {
  /** The value of a call with these arguments; without it the global may be named, but not called. */
  readonly call?: (args: readonly unknown[], context: PickleContext) => unknown;
  /** Fills a value that `call` made with the state that the file has for it; without it the file may have none. */
  readonly build?: (value: object, state: unknown, context: PickleContext) => void;
}

export interface PickleOptions {
  /** What messages call the file. */
  readonly label: string;
  /** All that the file may name, by module and name: `collections.OrderedDict`. */
  readonly globals: Readonly<Record<string, PickleGlobal>>;
  /** What the message about another global says is expected, and what to do. */
  readonly expected?: string;
  /** The value that a persistent id stands for; without it the file may have none. */
  readonly persistent?: (id: unknown, context: PickleContext) => unknown;
}

const stop = 0x2e;

/**
 * The value of a Python pickle, protocols 0 to 5 (the format: CPython's Lib/pickletools.py). Nothing is executed: a
 * pickle is a program, and of its calls those alone are made whose globals are in the caller's table.
 *
 * None is null, an int a number (a bigint beyond 2^53), a list an array, a tuple a frozen array, a dict a Map, a set a
 * Set; bytes, and the str of Python 2, are views of the file, but as a dict's keys they are text (Latin-1).
 * Values may be shared, and may contain themselves.
 *
 * @param bytes begins with the pickle; more may follow
 * @returns the value, and the byte after its end
 * @throws DataError, with the byte's offset, for a global that is not in the table, which is named, and for damage.
 *   Time and memory are linear in the length.
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): { value: unknown; end: number } {
  const machine = new PickleMachine(bytes, options);
  for (;;) {
    const code = machine.begin();
    if (code === stop) return { value: machine.pop(), end: machine.position };
    const instruction = instructions[code];
    if (!instruction) {
      return machine.fail(
        `damaged, or not a pickle: no instruction has the code ${code.toString(16).padStart(2, "0")}.`,
      );
    }
    instruction(machine);
  }
}
