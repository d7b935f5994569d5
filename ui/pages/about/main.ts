import "./about.css";
