// The chip's reset, low while active. It reaches flip-flops by GSRN, a port that the real cell has
// as wiring of the chip. With SYNCMODE "SYNC" it is released at the clock.
module GSR (input GSR, CLK, output GSRN);
    parameter MODE = "ACTIVE_LOW";
    parameter SYNCMODE = "ASYNC";

    wire resetn = MODE == "ACTIVE_HIGH" ? ~GSR : GSR;
    reg released;
    initial released = 1'b0;
    always @(posedge CLK or negedge resetn)
        if (!resetn) released <= 1'b0;
        else released <= 1'b1;
    assign GSRN = SYNCMODE == "SYNC" ? released : resetn;
endmodule
