// Knex, all from the URL.
import knex from "knex";
import { hold, query, url } from "./hold.mjs";

const db = knex({ client: "pg", connection: url });
await hold(() => db.raw(query));
