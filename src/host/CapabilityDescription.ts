/** What one capability is, for listings and tools. */
export interface CapabilityDescription {
  readonly id: string
  readonly kind: "source" | "operator" | "sink" | "control"
  readonly summary: string
  readonly spec: string
  readonly effects: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<string>
  readonly options: ReadonlyArray<{
    readonly name: string
    readonly type: string
    readonly required: boolean
    readonly default?: unknown
    readonly description: string
  }>
  readonly order?: string
  readonly delivery?: string
  readonly backpressure?: string
  readonly notes: ReadonlyArray<string>
  readonly example: string
  /** The short form in pipelines, such as `(stream.map stream transform)`. */
  readonly short?: string
}
