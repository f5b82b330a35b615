import { sharedStoreContract } from "../contracts/sharedStore.ts"
import { storeContract, type StoreUnderTest } from "../contracts/store.ts"
import { freshPrefix, redisProblem, redisUrl, removeRedisKeys } from "./servers.ts"

const prefix = freshPrefix()
let places = 0
const store: StoreUnderTest = {
  name: "redis",
  isShared: true,
  freshUrl: () => `${redisUrl}?prefix=${prefix}${++places}:`,
  cleanUp: () => removeRedisKeys(prefix),
  unavailable: await redisProblem()
}

storeContract(store)
sharedStoreContract(store)
