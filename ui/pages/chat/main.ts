import "./chat.css";
import "./chat.js";
