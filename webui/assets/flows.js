// The page "Flows".
import { ListPage } from "./list_page.js";
import { flowList } from "./lists.js";
import { Range } from "./range.js";

const show = () => page.show(flowList(range.name === "now"));
const range = new Range(show);
const page = new ListPage(range);
show();
