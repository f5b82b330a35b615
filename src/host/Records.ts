/** Small values under names in the host's store, which only this host writes: what a front end has to know after a restart. */
export interface Records {
  /** Whether they outlive the process: not in a store in memory. */
  readonly isDurable: boolean
  /** **Fails** with `StoreFailure`, also where one of them is damaged. */
  readonly all: () => Promise<ReadonlyMap<string, unknown>>
  /** Completes when it is as durable as the store is. **Fails** with `StoreFailure`, and with `StreamFenced` once another host has taken them. */
  readonly set: (name: string, value: unknown) => Promise<void>
  readonly remove: (name: string) => Promise<void>
}
