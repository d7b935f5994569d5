import "./stats.css";
import "./plots.css";
import "./stats.js";
