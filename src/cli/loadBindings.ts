import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"

/** The module of `--bindings` can't be used: it is missing, fails when imported, or defines a symbol twice. */
export class BindingsFailure extends Error {
  readonly _tag = "BindingsFailure"
  readonly module: string

  constructor(module: string, problem: string, fix: string, cause?: unknown) {
    super(`The bindings of ${module} can't be used: ${problem}. ${fix}`, { cause })
    this.module = module
  }
  override get name() {
    return this._tag
  }
}

/** The symbols that a module of bindings defines, and where a worker finds the functions among them. */
export interface Bindings {
  readonly values: Readonly<Record<string, unknown>>
  /** The URL of the module. */
  readonly url: string
}

/**
 * Imports an ES module, whose exports become symbols. A default export that is an object adds its properties, for names
 * that JavaScript has no identifier for (`"string/reverse"`).
 *
 * @param module a path from the working directory, or the name of a package installed there
 *
 * **Fails** with `BindingsFailure`.
 */
export const loadBindings = async (module: string): Promise<Bindings> => {
  const url = locate(module)
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(url)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BindingsFailure(module, `importing it failed: ${why}`, "Try it alone with: node " + module, cause)
  }
  const { default: more, ...named } = exported
  return { values: merge(module, named, more), url }
}

const locate = (module: string): string => {
  const path = resolve(module)
  if (existsSync(path)) return pathToFileURL(path).href
  try {
    return pathToFileURL(createRequire(join(process.cwd(), "bindings.js")).resolve(module)).href
  } catch (cause) {
    throw new BindingsFailure(
      module,
      "there is neither such a file nor such a package",
      `Give a path from ${process.cwd()}, such as ./bindings.js, or the name of an installed package.`,
      cause
    )
  }
}

const merge = (module: string, named: Readonly<Record<string, unknown>>, more: unknown): Readonly<Record<string, unknown>> => {
  if (more === undefined) return named
  if (typeof more !== "object" || more === null || Array.isArray(more)) {
    throw new BindingsFailure(
      module,
      "its default export is no object of names",
      'Export functions by name, or write: export default { "string/reverse": reverse }'
    )
  }
  // Symbols may have any name, `__proto__` too, which a plain object would take for its prototype.
  const values: Record<string, unknown> = Object.assign(Object.create(null), named)
  for (const [name, value] of Object.entries(more)) {
    if (name in values && values[name] !== value) {
      throw new BindingsFailure(module, `${name} is exported by name and again in the default export`, "Keep one of the two.")
    }
    values[name] = value
  }
  return values
}
