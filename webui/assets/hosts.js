// The page "Hosts".
import { ListPage } from "./list_page.js";
import { hostList } from "./lists.js";
import { Range } from "./range.js";

const show = () => page.show(hostList(range.name === "now"));
const range = new Range(show);
const page = new ListPage(range);
show();
