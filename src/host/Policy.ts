import type { CapabilityEffect, Touch } from "../capabilities/index.ts"
import { PermissionDenied } from "./errors.ts"
import type { PolicyOptions } from "./PolicyOptions.ts"

/** The flag that grants an effect, for messages. */
const flagFor: Readonly<Partial<Record<CapabilityEffect, string>>> = {
  ":fs.read": "--allow-read PATH (policy.read)",
  ":fs.write": "--allow-write PATH (policy.write)",
  ":network": "--allow-net HOST:PORT (policy.net)",
  ":db": "--allow-db URL (policy.db)",
  ":queue": "--allow-queue NAME (policy.queue)",
  ":mcp": "a server of the host (its option mcpServers), or --allow-net HOST:PORT (policy.net)"
}

/** Decides which effects a program may have. Deny by default; which paths in particular is the file access's to check. */
export class Policy {
  readonly #options: PolicyOptions
  readonly #hasMcpServers: boolean

  constructor(options: PolicyOptions = {}, mcpServers: object = {}) {
    this.#options = options
    this.#hasMcpServers = Object.keys(mcpServers).length > 0
  }

  /** Whether an effect is granted at all, for some path or peer. */
  grants(effect: CapabilityEffect): boolean {
    const { all, db, fsRoot, net, queue, read, write } = this.#options
    if (all === true) return true
    switch (effect) {
      case ":print":
      case ":clock":
        // The host decides where lines go, and time is no secret: neither touches anything of others.
        return true
      case ":fs.read":
        return (read?.length ?? 0) > 0 || fsRoot !== undefined
      case ":fs.write":
        return (write?.length ?? 0) > 0 || fsRoot !== undefined
      case ":network":
        return (net?.length ?? 0) > 0
      case ":db":
        return (db?.length ?? 0) > 0
      case ":queue":
        return (queue?.length ?? 0) > 0
      case ":mcp":
        // A server that the host has named, or a feed of a peer that is granted.
        return this.#hasMcpServers || (net?.length ?? 0) > 0
      case ":env":
        return false
    }
  }

  /** **Fails** by throwing `PermissionDenied`, which names the capability, the effect and what would grant it. */
  check(capability: string, effect: CapabilityEffect, target?: string): void {
    if (this.grants(effect)) return
    throw new PermissionDenied({
      what: `:${capability} needs ${effect}${target === undefined ? "" : ` for ${target}`}`,
      remedy: flagFor[effect] === undefined ? "the policy grants no such effect" : `grant it with ${flagFor[effect]}`
    })
  }

  /** The paths that may be touched for an effect, as they were given. */
  roots(effect: Touch["effect"]): ReadonlyArray<string> {
    return effect === ":fs.read" ? (this.#options.read ?? []) : effect === ":fs.write" ? (this.#options.write ?? []) : (this.#options.net ?? [])
  }

  /** The databases that may be used, as they were given. */
  get databases(): ReadonlyArray<string> {
    return this.#options.db ?? []
  }

  get queues(): ReadonlyArray<string> {
    return this.#options.queue ?? []
  }

  get all(): boolean {
    return this.#options.all === true
  }

  get fsRoot(): string | undefined {
    return this.#options.fsRoot
  }
}
