import { collectionEntries } from "./collections.ts"
import type { Entry } from "./Entry.ts"
import { hostCallEntries } from "./hostCalls.ts"
import { numberEntries } from "./numbers.ts"
import { specialFormEntries } from "./specialForms.ts"
import { streamFormEntries } from "./streamForms.ts"
import { typeEntries } from "./typeExpressions.ts"
import { valueEntries } from "./values.ts"

/** What the reference, `:doc` and completion say of the language, in the order of the reference. A test runs every example. */
export const documentation: ReadonlyArray<Entry> = [
  ...specialFormEntries,
  ...numberEntries,
  ...valueEntries,
  ...collectionEntries,
  ...hostCallEntries,
  ...streamFormEntries,
  ...typeEntries
]
