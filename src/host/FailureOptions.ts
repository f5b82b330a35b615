/** What every operator and sink does with an item that it fails on. */
export interface ItemFailureOptions {
  /** After its last try; by default `fail`. */
  readonly onFailure?: "fail" | "skip" | "dead-letter"
  /** How often such an item is tried again; by default 0. */
  readonly maxRetries?: number
  /** The wait before the first retry in ms, by default 200; each further one is twice as long. */
  readonly retryBackoff?: number
  /** By default `dead-letters`. */
  readonly deadLetterQueue?: string
}

/** What `Flow.withDeadLetter` takes. */
export interface DeadLetterOptions {
  /** Whether another try may help; by default it may. */
  readonly errorPredicate?: (error: unknown) => unknown
  /** By default 3. */
  readonly maxRetries?: number
  readonly retryBackoff?: number
  readonly deadLetterQueue?: string
  /** Called in order, once the letter is stored. */
  readonly onDeadLetter?: (item: unknown, error: unknown) => unknown
}

/** What `Flow.withCircuitBreaker` takes; times in ms. */
export interface CircuitBreakerOptions {
  /** The share of failed calls at which it opens; by default 0.5. */
  readonly failureThreshold?: number
  /** In ms; by default 60000. */
  readonly recoveryTimeout?: number
  readonly window?: number
  readonly minimumCalls?: number
  readonly halfOpenCalls?: number
  readonly trialTimeout?: number
  readonly whenOpen?: "wait" | "fail"
  readonly onOpen?: () => unknown
  readonly onHalfOpen?: () => unknown
  readonly onClose?: () => unknown
}
