import type { Graph } from "../graph/graph.ts";
import type { Runtime, Session, SessionOptions } from "../runtime/session.ts";

/** Sessions that stay open: those of a training run are a handful. */
const MOST_OPEN = 12;

/**
 * Sessions of a process by what their graphs are made from: the runs of a study share them, and pay for the making once. The one
 * not used for longest is released when there are too many.
 */
export class Sessions {
  readonly #runtime: Runtime;
  readonly #open = new Map<string, Promise<Session>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @param key equal keys and options mean equal graphs */
  async get(key: string, build: () => Graph, options: SessionOptions): Promise<Session> {
    const whole = JSON.stringify([key, options.provider, options.threads]);
    const known = this.#open.get(whole);
    const session = known ?? this.#runtime.open(build(), options);
    this.#open.delete(whole);
    this.#open.set(whole, session);
    try {
      await session;
    } catch (error) {
      this.#open.delete(whole);
      throw error;
    }
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN) break;
      const dropped = this.#open.get(oldest);
      this.#open.delete(oldest);
      await (await dropped)?.release();
    }
    return session;
  }

  async release(): Promise<void> {
    const sessions = [...this.#open.values()];
    this.#open.clear();
    for (const session of sessions) await (await session).release();
  }
}

const ofRuntime = new WeakMap<Runtime, Sessions>();

/** The sessions of this process. */
export function sessionsOf(runtime: Runtime): Sessions {
  const known = ofRuntime.get(runtime) ?? new Sessions(runtime);
  ofRuntime.set(runtime, known);
  return known;
}
