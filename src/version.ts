import manifest from "../package.json" with { type: "json" };

/** This package's version, kept in every result. */
export const version: string = manifest.version;
