// TypeORM, all from the URL.
import "reflect-metadata";
import { DataSource } from "typeorm";
import { hold, query, url } from "./hold.mjs";

const db = new DataSource({ type: "postgres", url });
await db.initialize();
await hold(() => db.query(query));
