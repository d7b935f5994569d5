import "./directory.css";
import "./directory.js";
