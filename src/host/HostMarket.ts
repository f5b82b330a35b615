import {
  AuditTrail,
  type MarketplaceContext,
  OpenStreams,
  type Provider,
  type ProviderFilter,
  ProviderRegistry
} from "../capabilities/index.ts"
import type { MarketplaceAccess, ProviderDescription, ProviderDefinition, ProviderQuery, ProviderUse } from "./MarketplaceAccess.ts"
import type { Policy } from "./Policy.ts"
import { toErrorValue } from "./rootCause.ts"

export interface HostMarketOptions {
  readonly policy: Policy
  readonly now: () => number
  /** Each is told of every use of a provider. */
  readonly listeners: ReadonlyArray<(use: ProviderUse) => void>
}

/** What a host offers under ids, which streams are open under keys, and who used what. */
export class HostMarket {
  readonly #options: HostMarketOptions
  readonly #providers = new ProviderRegistry()
  readonly #open = new OpenStreams()
  readonly #trail: AuditTrail

  constructor(options: HostMarketOptions) {
    this.#options = options
    this.#trail = new AuditTrail(options.listeners)
  }

  /** What the calls of one program use: what it registers is its own. */
  contextFor(program: string): MarketplaceContext {
    const { now, policy } = this.#options
    return {
      providers: new ProviderRegistry(this.#providers),
      open: this.#open,
      check: (subject, effects) => {
        for (const effect of effects) policy.check(subject, effect)
      },
      audit: (record) => this.#trail.add({ at: now(), program, ...record }),
      errorValue: toErrorValue
    }
  }

  get access(): MarketplaceAccess {
    return {
      register: (provider) => this.#register(provider),
      unregister: (id) => this.#providers.unregister(id),
      find: (query) => this.#find(query),
      uses: () => this.#trail.records()
    }
  }

  #register({ effects = [], ...provider }: ProviderDefinition): void {
    const { id } = this.#providers.register({ ...(provider as Omit<Provider, "effects">), effects, isOfProgram: false })
    this.#trail.add({ at: this.#options.now(), program: "host", call: "register", subject: id, effects, outcome: "allowed" })
  }

  #find(query: ProviderQuery = {}): ReadonlyArray<ProviderDescription> {
    return this.#providers
      .find(query as ProviderFilter)
      .map(
        ({ config, effects, id, input, metadata, output, summary, type }) =>
          Object.fromEntries(
            Object.entries({ id, type, effects, summary, input, output, config, metadata }).filter(([, value]) => value !== undefined)
          ) as unknown as ProviderDescription
      )
  }
}
