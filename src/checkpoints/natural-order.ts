/** Compares names as people count: epoch-9 before epoch-10. */
export const { compare: byNumber } = new Intl.Collator("en", { numeric: true });
