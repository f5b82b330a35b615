import type { InlineFunction } from "../scheduler/index.ts"
import type { Cell } from "./Cell.ts"
import { Closure, type SiteCompiler } from "./Closure.ts"
import type { Engine } from "./Engine.ts"
import { isBare } from "./generate/bare.ts"
import { FunctionEmitter } from "./generate/FunctionEmitter.ts"
import { Module } from "./generate/Module.ts"
import type { Log } from "./Log.ts"
import type { FunctionNode } from "./Node.ts"
import { siteOf } from "./generate/sites.ts"
import { originOf } from "./origin.ts"

type Factory = (captured: ReadonlyArray<unknown>) => (log: Log, ...args: ReadonlyArray<unknown>) => Promise<unknown>

/** What closures need of the compiler after their program was compiled. */
export const siteCompiler: SiteCompiler = {
  isMetered: (node) => !isBare(node),
  asyncFactory: (site) => asyncFactory(site.engine, site.node),
  inline: (closure) => inlineFunction(closure),
  origin: originOf
}

/** The asynchronous form of a function; captured values come as one row. */
const asyncFactory = (engine: Engine, node: FunctionNode): Factory => {
  const module = new Module(engine)
  const emitter = new FunctionEmitter(module, node, true, siteCompiler)
  const source = emitter.emit()
  const unpacked = node.captures.map((capture, index) => `${emitter.variable(capture)}=c[${index}]`)
  const declarations = unpacked.length === 0 ? "" : `const ${unpacked.join(",")};`
  return module.instantiate(`function(c){${declarations}return ${source}}`) as Factory
}

/**
 * The synchronous forms of top-level forms.
 *
 * Those that only define a function wait with compiling it until it is called: a program uses few of its functions
 * right away, and some never. Forms that ask the host run asynchronously anyway. The rest is compiled as one text.
 */
export const compileTops = (engine: Engine, tops: ReadonlyArray<FunctionNode>): ReadonlyArray<() => unknown> => {
  const module = new Module(engine)
  const sources: Array<string> = []
  const runs = tops.map((node) => {
    const definition = functionDefinition(node)
    if (definition !== undefined) return () => defineLazily(engine, definition)
    if (node.asksHost) return () => emitOne(engine, node)()
    const index = sources.push(new FunctionEmitter(module, node, false, siteCompiler).emit()) - 1
    return () => compiled[index]!()
  })
  const compiled = (sources.length === 0 ? [] : module.instantiate(`[${sources.join(",\n")}]`)) as ReadonlyArray<() => unknown>
  return runs
}

const emitOne = (engine: Engine, node: FunctionNode): ((...args: ReadonlyArray<unknown>) => unknown) => {
  const module = new Module(engine)
  return module.instantiate(new FunctionEmitter(module, node, false, siteCompiler).emit()) as (...args: ReadonlyArray<unknown>) => unknown
}

interface FunctionDefinition {
  readonly cell: Cell
  readonly node: FunctionNode
}

const functionDefinition = ({ body }: FunctionNode): FunctionDefinition | undefined =>
  body.op === "define" && body.value.op === "function" && body.value.node.captures.length === 0
    ? { cell: body.cell, node: body.value.node }
    : undefined

const defineLazily = (engine: Engine, { cell, node }: FunctionDefinition): unknown => {
  const closure = Closure.lazy(
    siteOf(node, engine, siteCompiler),
    () => emitOne(engine, node),
    (compiled) => cell.use(closure.value, compiled)
  )
  return cell.set(closure.value)
}

/** The asynchronous form of one top-level form. */
export const compileTopAsync = (engine: Engine, node: FunctionNode): ((log: Log) => Promise<unknown>) => asyncFactory(engine, node)([])

/** The text of a function with names of its own, so that two closures of one expression can stand in one loop. */
const inlineFunction = (closure: Closure): InlineFunction | undefined => {
  const { node } = closure.site
  if (!node.synchronous || node.rest !== undefined) return undefined
  const module = new Module(closure.site.engine, true)
  node.captures.forEach((capture, index) => module.capture(capture, closure.captured[index]))
  return { source: new FunctionEmitter(module, node, false, siteCompiler).emit(), free: Object.fromEntries(module.free) }
}
