// Sequelize, all from the URL.
import { Sequelize } from "sequelize";
import { hold, query, url } from "./hold.mjs";

const db = new Sequelize(url, { logging: false });
await hold(() => db.query(query));
