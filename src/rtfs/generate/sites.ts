import { Site, type SiteCompiler } from "../Closure.ts"
import type { Engine } from "../Engine.ts"
import type { FunctionNode } from "../Node.ts"

const sites = new WeakMap<FunctionNode, Site>()

/** The one site of a function expression: all texts generated from it share what is known about it. */
export const siteOf = (node: FunctionNode, engine: Engine, compiler: SiteCompiler): Site => {
  let site = sites.get(node)
  if (site === undefined) sites.set(node, (site = new Site(node, engine, compiler)))
  return site
}
