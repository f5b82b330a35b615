// What only some commands and tools need, loaded when they ask for it: no program waits for it at its start.

export const loadFormatter = async () => (await import("./format/format.ts")).format

/** What there is to say of every special form, library function, stream form and type. */
export const loadDocumentation = async () => (await import("./documentation/index.ts")).documentation
