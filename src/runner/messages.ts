// What a runner and its worker processes say to each other.

/** To a worker: do this task, and write its files to the folder under its key. */
export interface Assignment {
  readonly folder: string;
  readonly key: string;
  readonly payload: unknown;
}

/** From a worker. */
export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly key: string }
  /** `final`: trying again would give the same. */
  | { readonly kind: "failed"; readonly key: string; readonly reason: string; readonly final: boolean }
  /** Results cannot be written: no task can be done. */
  | { readonly kind: "unwritable"; readonly key: string; readonly reason: string };
