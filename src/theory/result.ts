import type { Environment, Result, Warning } from "../evaluation/result.ts";

/** The document of `flatness robustness`, schema version 1. */
export interface RobustnessResult {
  readonly schema: 1;
  readonly kind: "robustness";
  readonly model: Result["model"];
  readonly data: Result["data"];
  readonly loss: Result["loss"];
  /** Which matrices A features were moved by, φ ↦ φ + δAφ. */
  readonly features: { readonly family: string; readonly options: Readonly<Record<string, number | string>> };
  /** ε of ((δ, S, A), ε)-robustness, where it was asked for. */
  readonly epsilon: number | null;
  /** A model that gives the labels of moved features. */
  readonly teacher: string | null;
  readonly layers: readonly RobustnessLayer[];
  readonly rows: readonly RobustnessRow[];
  readonly warnings: readonly Warning[];
  readonly environment: Environment;
  readonly seconds: { readonly total: number };
}

export interface RobustnessLayer {
  readonly name: string;
  readonly d: number;
  readonly m: number;
  readonly positions: number;
  readonly groups: number;
  /** κ and its standard error from probes, where theory is made of it. */
  readonly flatness: { readonly value: number; readonly probeError: number } | null;
  /** Samples whose features are all zero: these do not move. null where φ is not one vector. */
  readonly zeroFeatures: number | null;
  /** Why there is no theory beside the measurement. */
  readonly noTheory?: string;
}

/** E_F(f, S, δA) of one layer at one δ, for one given A or averaged over a distribution. */
export interface RobustnessRow {
  readonly layer: string;
  readonly delta: number;
  /** The given matrix: `e_3`, or its number in the file. null for a distribution. */
  readonly matrix: string | null;
  /** In the unit of the loss, labels constant. */
  readonly measured: number;
  /** Of the average over the draws, on these data; null for a given matrix, and for one draw. */
  readonly standardError: number | null;
  /** Of the average over the samples, these draws given; null for a single sample. */
  readonly dataError: number | null;
  readonly theory: number | null;
  readonly theoryError: number | null;
  readonly draws: number;
  /** Whether |E_F(αA)| ≤ ε for all α of a grid up to δ; null where no ε was given. */
  readonly holds: boolean | null;
  /** The α up to δ at which |E_F| is largest, which decides. */
  readonly worst: { readonly alpha: number; readonly measured: number; readonly standardError: number | null } | null;
  /** With the labels that the teacher gives moved features. */
  readonly teacher: TeacherRow | null;
}

export interface TeacherRow {
  /** E_F with labels that move with the features. */
  readonly measured: number;
  readonly standardError: number | null;
  /** Mean of ℓ(ψ(φ + ξ), y(φ + ξ)) − ℓ(ψ(φ + ξ), y): what constant labels leave out. */
  readonly labelTerm: number;
  readonly labelTermError: number | null;
  /** Mean of its absolute value: 0 where labels are locally constant, the paper's main condition. */
  readonly labelConstancy: number;
  readonly labelConstancyError: number | null;
}

/** The document of `flatness bound`, schema version 1. */
export interface BoundResult {
  readonly schema: 1;
  readonly kind: "bound";
  readonly model: Result["model"];
  readonly data: Result["data"];
  /** The held-out data that E(f) is estimated from. */
  readonly test: Result["data"];
  readonly loss: Result["loss"];
  readonly layer: { readonly name: string; readonly d: number; readonly m: number };
  readonly sigma: number;
  /** The bound holds with this probability, 1 − Δ. */
  readonly probability: number;
  readonly draws: number;
  readonly teacher: string | null;
  /** Samples with features of zeros alone, which do not move. */
  readonly zeroFeatures: number;
  readonly rows: readonly BoundRow[];
  readonly warnings: readonly Warning[];
  readonly environment: Environment;
  readonly seconds: { readonly total: number };
}

/** One number of the decomposition of the generalization gap, or of the bound. */
export interface BoundRow {
  readonly quantity: string;
  /** null for what does not depend on δ. */
  readonly delta: number | null;
  /** null where it cannot be had; `note` says why. */
  readonly value: number | null;
  readonly standardError: number | null;
  /** exact: a number of the data given; estimated: with a standard error; theoretical: of the theory alone, no measurement. */
  readonly status: "exact" | "estimated" | "theoretical";
  /** What it is, in a few words. */
  readonly note: string;
}
